"""Sparkplug B (Eclipse Sparkplug 3.0): an edge node of one device, births with every connection, then data by alias.

Here each simulated device is the edge node `<id>` with one device below it; the topic's `{device}` is that node. The
will (NDEATH) and the birth (NBIRTH) of a connection carry the same bdSeq; seq counts from 0 with the birth, modulo 256.
The specification's QoS of data is 0; the class's `qos` decides here, so that loss can be proven.
"""

import re
import struct
from collections.abc import Sequence
from typing import Final

from device_sim.message import Value, Will
from device_sim.payloads.format import Device, Encoded, Format, MakeRng, Measured, stored

# Fields of Payload and Metric in sparkplug_b.proto.
TIMESTAMP, METRICS, SEQ = 1, 2, 3
NAME, ALIAS, METRIC_TIME, DATATYPE, IS_NULL, PROPERTIES, LONG, DOUBLE, BOOLEAN, STRING = (
    1,
    2,
    3,
    4,
    7,
    9,
    11,
    13,
    14,
    15,
)
KEYS, PROPERTY_VALUES, PROPERTY_TYPE, PROPERTY_STRING = 1, 2, 1, 8
UINT64_TYPE, DOUBLE_TYPE, BOOLEAN_TYPE, STRING_TYPE = 8, 10, 11, 12
_TYPES: Final = {"number": DOUBLE_TYPE, "truth": BOOLEAN_TYPE, "text": STRING_TYPE}

_TOPIC: Final = re.compile(r"spBv1\.0/[^/+#{}]+/DDATA/\{device\}/[^/+#{}]+")


class Sparkplug:
    """One edge node with its device."""

    def __init__(self, device: Device, _make_rng: MakeRng) -> None:
        _, group, _, node, below = device.topic.split("/")
        self.device = device.stored_as or f"{group}/{node}/{below}"
        self._node_topic, self._below = f"spBv1.0/{group}/{{}}/{node}", below
        self._data_topic = device.topic
        self._measured = device.measured
        self._names = device.names
        self._qos = device.qos
        self._bd_seq = -1
        self._seq = 0

    def will(self) -> Will:
        """Return the NDEATH of the next connection, with the bdSeq that its birth will carry."""
        self._bd_seq = (self._bd_seq + 1) % 256
        return Will(self._node_topic.format("NDEATH"), _field(METRICS, self._bd_seq_metric()))

    def births(self, time_us: int, values: Sequence[Value | None]) -> Sequence[Encoded]:
        time_ms = time_us // 1_000
        self._seq = 0
        rebirth = _field(NAME, b"Node Control/Rebirth") + _integer(DATATYPE, BOOLEAN_TYPE) + _integer(BOOLEAN, 0)
        node = self._payload(time_ms, [self._bd_seq_metric(), rebirth])
        births = [
            _birth(metric, alias, time_ms, value)
            for alias, (metric, value) in enumerate(zip(self._measured, values, strict=True))
        ]
        device_topic = f"{self._node_topic.format('DBIRTH')}/{self._below}"
        names, there = stored(self._names, values)
        return (
            Encoded(self._node_topic.format("NBIRTH"), node, (), (), time_us, qos=self._qos),
            Encoded(device_topic, self._payload(time_ms, births), names, there, time_us, qos=self._qos),
        )

    def encode(self, time_us: int, values: Sequence[Value | None]) -> Sequence[Encoded]:
        metrics = [_integer(ALIAS, alias) + _value(value) for alias, value in enumerate(values)]
        payload = self._payload(time_us // 1_000, metrics)
        return (Encoded(self._data_topic, payload, *stored(self._names, values), time_us, qos=self._qos),)

    def _payload(self, time_ms: int, metrics: Sequence[bytes]) -> bytes:
        parts = [_integer(TIMESTAMP, time_ms), *(_field(METRICS, metric) for metric in metrics)]
        parts.append(_integer(SEQ, self._seq))
        self._seq = (self._seq + 1) % 256
        return b"".join(parts)

    def _bd_seq_metric(self) -> bytes:
        return _field(NAME, b"bdSeq") + _integer(DATATYPE, UINT64_TYPE) + _integer(LONG, self._bd_seq)


def _birth(metric: Measured, alias: int, time_ms: int, value: Value | None) -> bytes:
    parts = [
        _field(NAME, metric.name.encode()),
        _integer(ALIAS, alias),
        _integer(METRIC_TIME, time_ms),
        _integer(DATATYPE, _TYPES[metric.sort]),
    ]
    if metric.unit:
        unit = _integer(PROPERTY_TYPE, STRING_TYPE) + _field(PROPERTY_STRING, metric.unit.encode())
        parts.append(_field(PROPERTIES, _field(KEYS, b"engUnit") + _field(PROPERTY_VALUES, unit)))
    parts.append(_value(value))
    return b"".join(parts)


def _value(value: Value | None) -> bytes:
    if value is None:
        return _integer(IS_NULL, 1)
    if isinstance(value, bool):
        return _integer(BOOLEAN, int(value))
    return _field(STRING, value.encode()) if isinstance(value, str) else _double(DOUBLE, value)


# The few protobuf fields that it writes: a number and wire type in a varint, then the value
# (https://protobuf.dev/programming-guides/encoding/).
_VARINT, _FIXED_64, _LENGTH = 0, 1, 2


def _varint(number: int) -> bytes:
    """Write a number of up to 64 bits, seven bits a byte, the lowest first."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def _tag(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _integer(field: int, number: int) -> bytes:
    return _tag(field, _VARINT) + _varint(number)


def _double(field: int, number: float) -> bytes:
    return _tag(field, _FIXED_64) + struct.pack("<d", number)


def _field(field: int, content: bytes) -> bytes:
    """Write a string, bytes or an embedded message."""
    return _tag(field, _LENGTH) + _varint(len(content)) + content


FORMAT: Final = Format(
    "sparkplug",
    Sparkplug,
    "spBv1.0/plant/DDATA/{device}/io",
    _TOPIC,
    metric=re.compile(r"(?!bdSeq$|Node Control/|Device Control/|Properties/)[^\x00-\x1f\x7f]{1,200}"),
    metric_example="Motor/Speed",
    id_example="press-1",
    by_connection=True,
    births_carry_values=True,
    decoder="sparkplug",
)
