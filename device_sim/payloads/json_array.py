"""A JSON array of points: `[{"metric":"temperature","value":21.5,"unit":"Cel","ts":1795190400123},…]`."""

from collections.abc import Sequence
from typing import Final

import orjson

from device_sim.message import Value
from device_sim.payloads.format import Device, Encoded, Format, MakeRng, Unannounced, stored
from device_sim.payloads.topics import ANY_TOPIC, TELEMETRY_TOPIC, telemetry_device


class JsonArray(Unannounced):
    """One point a metric, each with the time; a metric without value is left out."""

    def __init__(self, device: Device, _make_rng: MakeRng) -> None:
        self.device = device.stored_as or telemetry_device(device.topic)
        self._topic = device.topic
        self._names = device.names
        self._heads: list[dict[str, str]] = [
            {"metric": metric.name, **({"unit": metric.unit} if metric.unit else {})} for metric in device.measured
        ]
        self._qos = device.qos

    def encode(self, time_us: int, values: Sequence[Value | None]) -> Sequence[Encoded]:
        points = [
            {**head, "value": value, "ts": time_us // 1_000}
            for head, value in zip(self._heads, values, strict=True)
            if value is not None
        ]
        payload = orjson.dumps(points)
        return (Encoded(self._topic, payload, *stored(self._names, values), time_us, qos=self._qos),)


FORMAT: Final = Format("json-array", JsonArray, TELEMETRY_TOPIC, ANY_TOPIC)
