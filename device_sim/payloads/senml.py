"""SenML (RFC 8428): a pack of records in JSON or CBOR, with the device's name and the time in the first."""

import re
from collections.abc import Sequence
from typing import Final

import orjson

from device_sim.message import Value
from device_sim.payloads import cbor_items
from device_sim.payloads.format import Device, Encoded, Format, MakeRng, Unannounced, stored
from device_sim.payloads.topics import ANY_TOPIC

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:/_-]*")
# Not urn:dev:…, whose device is not the whole base name (RFC 9039).
_ID: Final = re.compile(r"(?!urn:)[A-Za-z0-9][A-Za-z0-9:._-]*[A-Za-z0-9]|[A-Za-z0-9]")
_BASE_NAME, _BASE_TIME, _NAME_LABEL, _UNIT, _VALUE, _TEXT, _TRUTH = -2, -3, 0, 1, 2, 3, 4  # RFC 8428, table 6


class SenmlJson(Unannounced):
    """`[{"bn":"tank-1/","bt":1795190400.123,"n":"level","u":"%EL","v":40},…]`."""

    def __init__(self, device: Device, _make_rng: MakeRng) -> None:
        self.device = device.stored_as or device.id
        self._base = f"{device.id}/"
        self._topic = device.topic
        self._names = device.names
        self._heads: list[dict[str, str]] = [
            {"n": metric.name, **({"u": metric.unit} if metric.unit else {})} for metric in device.measured
        ]
        self._qos = device.qos

    def encode(self, time_us: int, values: Sequence[Value | None]) -> Sequence[Encoded]:
        base: dict[str, Value] = {"bn": self._base, "bt": time_us / 1e6}
        records: list[dict[str, Value]] = [
            {**head, ("vb" if isinstance(value, bool) else "vs" if isinstance(value, str) else "v"): value}
            for head, value in zip(self._heads, values, strict=True)
            if value is not None
        ]
        if not records:  # a pack of base values says nothing
            return ()
        pack = [{**base, **records[0]}, *records[1:]]
        return (Encoded(self._topic, orjson.dumps(pack), *stored(self._names, values), time_us, qos=self._qos),)


class SenmlCbor(Unannounced):
    """The same with integers for labels."""

    def __init__(self, device: Device, _make_rng: MakeRng) -> None:
        self.device = device.stored_as or device.id
        self._base = cbor_items.integer(_BASE_NAME) + cbor_items.text(f"{device.id}/") + cbor_items.integer(_BASE_TIME)
        self._topic = device.topic
        self._names = device.names
        name, unit = cbor_items.integer(_NAME_LABEL), cbor_items.integer(_UNIT)
        self._heads = [
            name + cbor_items.text(metric.name) + (unit + cbor_items.text(metric.unit) if metric.unit else b"")
            for metric in device.measured
        ]
        self._sizes = [3 if metric.unit else 2 for metric in device.measured]
        self._qos = device.qos

    def encode(self, time_us: int, values: Sequence[Value | None]) -> Sequence[Encoded]:
        base, extra, records = self._base + cbor_items.number(time_us / 1e6), 2, []
        for size, head, value in zip(self._sizes, self._heads, values, strict=True):
            if value is None:
                continue
            label = _TRUTH if isinstance(value, bool) else _TEXT if isinstance(value, str) else _VALUE
            item = cbor_items.integer(label) + cbor_items.value(value)
            records.append(cbor_items.map_of(size + extra) + base + head + item)
            base, extra = b"", 0
        if not records:
            return ()
        payload = cbor_items.array_of(len(records)) + b"".join(records)
        return (Encoded(self._topic, payload, *stored(self._names, values), time_us, qos=self._qos),)


JSON_FORMAT: Final = Format(
    "senml-json", SenmlJson, "senml/{device}", ANY_TOPIC, metric=_NAME, id=_ID, id_example="tank-1"
)
CBOR_FORMAT: Final = Format(
    "senml-cbor", SenmlCbor, "senml-cbor/{device}", ANY_TOPIC, metric=_NAME, id=_ID, id_example="tank-1"
)
