"""JSON with levels: `{"time":"2026-11-20T16:00:00.123Z","env":{"temperature":21.5,"ok":true}}`."""

import re
from collections.abc import Sequence
from typing import Final

import orjson

from device_sim.message import Value
from device_sim.payloads import documents
from device_sim.payloads.documents import Planter
from device_sim.payloads.format import Device, Encoded, Format, MakeRng, Unannounced, stored
from device_sim.payloads.json_flat import RESERVED
from device_sim.payloads.topics import ANY_TOPIC, TELEMETRY_TOPIC, telemetry_device

_LEVELS: Final = re.compile(RESERVED + r"(?!values\.)[^\x00-\x1f\x7f.]+(?:\.[^\x00-\x1f\x7f.]+)*")


class NestedJson(Unannounced):
    """One object a message, the time as text in front."""

    def __init__(self, device: Device, _make_rng: MakeRng) -> None:
        self.device = device.stored_as or telemetry_device(device.topic)
        self._topic = device.topic
        self._names = device.names
        self._planter = Planter(self._names)
        self._qos = device.qos

    def encode(self, time_us: int, values: Sequence[Value | None]) -> Sequence[Encoded]:
        payload = orjson.dumps({"time": documents.iso_ms(time_us), **self._planter.plant(values)})
        return (Encoded(self._topic, payload, *stored(self._names, values), time_us, qos=self._qos),)


FORMAT: Final = Format(
    "json-nested", NestedJson, TELEMETRY_TOPIC, ANY_TOPIC, metric=_LEVELS, metric_example="env.temperature", nested=True
)
