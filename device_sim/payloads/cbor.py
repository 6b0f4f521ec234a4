"""A CBOR map: `{"ts": 1795190400123, "temperature": 21.5}` in fewer bytes; NaN for no value."""

from collections.abc import Sequence
from typing import Final

from device_sim.message import Value
from device_sim.payloads import cbor_items
from device_sim.payloads.format import Device, Encoded, Format, MakeRng, Unannounced, stored
from device_sim.payloads.json_flat import METRIC
from device_sim.payloads.topics import ANY_TOPIC, telemetry_device


class CborMap(Unannounced):
    """One map a message, the time in ms in front."""

    def __init__(self, device: Device, _make_rng: MakeRng) -> None:
        self.device = device.stored_as or telemetry_device(device.topic)
        self._topic = device.topic
        self._names = device.names
        self._head = cbor_items.map_of(1 + len(self._names)) + cbor_items.text("ts")
        self._keys = [cbor_items.text(name) for name in self._names]
        self._qos = device.qos

    def encode(self, time_us: int, values: Sequence[Value | None]) -> Sequence[Encoded]:
        parts = [self._head, cbor_items.integer(time_us // 1_000)]
        for key, value in zip(self._keys, values, strict=True):
            parts += (key, cbor_items.NAN if value is None else cbor_items.value(value))
        return (Encoded(self._topic, b"".join(parts), *stored(self._names, values), time_us, qos=self._qos),)


FORMAT: Final = Format("cbor", CborMap, "cbor/{device}", ANY_TOPIC, metric=METRIC)
