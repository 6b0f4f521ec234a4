"""Plain JSON, what most devices of one's own making send: `{"ts":1795190400123,"temperature":21.5}`."""

import functools
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import orjson

from device_sim.message import US_PER_MS, Value
from device_sim.payloads.format import Device, Encoded, Format, MakeRng, Measured, Unannounced, Writer, stored
from device_sim.payloads.topics import ANY_TOPIC, TELEMETRY_TOPIC, telemetry_device

# A hub tells seconds, ms, us and ns apart by magnitude; 1e11 ms is 1973-03-03, below it a number could be seconds.
UNAMBIGUOUS_MS: Final = 100_000_000_000
# Names that plain JSON gives a meaning of their own: times, and the two forms of a named value.
RESERVED: Final = r"(?!(?:ts|time|timestamp|Time|datetime|date|t|last_seen|value|values|metric|name|unit)$)"
METRIC: Final = re.compile(RESERVED + r"[^\x00-\x1f\x7f]{1,200}")


class FlatJson(Unannounced):
    """One object a message, the time in ms in front, null for no value."""

    __slots__ = ("_names", "_qos", "_topic", "_write", "device")

    def __init__(self, device: Device, _make_rng: MakeRng) -> None:
        self.device = device.stored_as or telemetry_device(device.topic)
        self._topic = device.topic
        self._names = device.names
        self._write = flat_columns(device.measured)
        self._qos = device.qos

    def encode(self, time_us: int, values: Sequence[Value | None]) -> Sequence[Encoded]:
        [payload] = self._write((time_us,), [(value,) for value in values])
        return (Encoded(self._topic, payload, *stored(self._names, values), time_us, qos=self._qos),)


@functools.lru_cache(maxsize=64)
def flat_columns(measured: Sequence[Measured]) -> Writer:
    """Make what writes such messages: all of a column's numbers are turned into text in one call."""
    keys = [orjson.dumps(metric.name).replace(b"%", b"%%") for metric in measured]
    template = b'{"ts":%d,' + b",".join(key + b":%b" for key in keys) + b"}"
    numbers = [metric.sort == "number" for metric in measured]

    def write(times_us: Sequence[int], columns: Sequence[Sequence[Value | None]]) -> list[bytes]:
        texts = [
            orjson.dumps(column)[1:-1].split(b",") if number else [orjson.dumps(value) for value in column]
            for number, column in zip(numbers, columns, strict=True)
        ]
        return [template % row for row in zip([time_us // US_PER_MS for time_us in times_us], *texts, strict=True)]

    return write


def flat_json(time_us: int, values: Mapping[str, Value]) -> bytes:
    """Write a message with a time of any age: where ms cannot carry it exactly, or could be s, it is ISO 8601."""
    ms, rest_us = divmod(time_us, US_PER_MS)
    if rest_us == 0 and ms >= UNAMBIGUOUS_MS:
        return orjson.dumps({"ts": ms, **values})
    stamp = datetime.fromtimestamp(time_us // 1_000_000, UTC).replace(microsecond=time_us % 1_000_000)
    return orjson.dumps({"ts": stamp.isoformat().replace("+00:00", "Z"), **values})


FORMAT: Final = Format("json", FlatJson, TELEMETRY_TOPIC, ANY_TOPIC, metric=METRIC, columns=flat_columns)
