"""Plain JSON, what most devices of one's own making send: `{"ts":1795190400123,"temperature":21.5}`."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import orjson

from device_sim.message import US_PER_MS, Value
from device_sim.payloads.format import Device, Encoded, Format, MakeRng, Unannounced, stored
from device_sim.payloads.topics import TELEMETRY, TELEMETRY_TOPIC, telemetry_device

# A hub tells seconds, ms, us and ns apart by magnitude; 1e11 ms is 1973-03-03, below it a number could be seconds.
UNAMBIGUOUS_MS: Final = 100_000_000_000
# Names that plain JSON gives a meaning of their own: times, and the two forms of a named value.
RESERVED: Final = r"(?!(?:ts|time|timestamp|Time|datetime|date|t|last_seen|value|values|metric|name|unit)$)"
_new = tuple.__new__  # half of what Encoded(...) costs
METRIC: Final = re.compile(RESERVED + r"[^\x00-\x1f\x7f]{1,200}")


class FlatJson(Unannounced):
    """One object a message, the time in ms in front, null for no value."""

    __slots__ = ("_keys", "_names", "_qos", "_topic", "device")

    def __init__(self, device: Device, _make_rng: MakeRng) -> None:
        self.device = device.stored_as or telemetry_device(device.topic)
        self._topic = device.topic
        self._names = device.names
        self._keys = ("ts", *self._names)
        self._qos = device.qos

    def encode(self, time_us: int, values: Sequence[Value | None]) -> Sequence[Encoded]:
        payload = orjson.dumps(dict(zip(self._keys, (time_us // 1_000, *values))))  # noqa: B905 - a keyword costs 0.1 us
        names, there = stored(self._names, values) if None in values else (self._names, tuple(values))
        return (_new(Encoded, (self._topic, payload, names, there, time_us, True, False, self._qos)),)


def flat_json(time_us: int, values: Mapping[str, Value]) -> bytes:
    """Write a message with a time of any age: where ms cannot carry it exactly, or could be s, it is ISO 8601."""
    ms, rest_us = divmod(time_us, US_PER_MS)
    if rest_us == 0 and ms >= UNAMBIGUOUS_MS:
        return orjson.dumps({"ts": ms, **values})
    stamp = datetime.fromtimestamp(time_us // 1_000_000, UTC).replace(microsecond=time_us % 1_000_000)
    return orjson.dumps({"ts": stamp.isoformat().replace("+00:00", "Z"), **values})


FORMAT: Final = Format("json", FlatJson, TELEMETRY_TOPIC, TELEMETRY, metric=METRIC)
