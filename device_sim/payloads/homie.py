"""Homie 5: `homie/5/<device>/<node>/<property>` `21.5`, retained, no time: the hub stamps its own.

`$description` says datatypes and units, `$state` who is there: `init` and `ready` with a connection, `lost` as the will.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

import orjson

from device_sim.message import Value, Will
from device_sim.payloads.format import Device, Encoded, Format, MakeRng

_DATATYPES: Final = {"number": "float", "truth": "boolean", "text": "string"}
_UNITS: Final = {"Cel": "°C", "%RH": "%", "%EL": "%"}
_VERSION: Final = 1


class Homie:
    """One device; the metric `engine.temperature` is a property of the node `engine`."""

    def __init__(self, device: Device, _make_rng: MakeRng) -> None:
        self._root = device.topic.removesuffix("/{metric}")
        self.device = device.stored_as or device.id
        nodes: dict[str, dict[str, Any]] = {}
        for metric in device.measured:
            node, _, name = metric.name.partition(".")
            properties = nodes.setdefault(node, {"name": node, "properties": {}})["properties"]
            properties[name] = {"name": name, "datatype": _DATATYPES[metric.sort]}
            if metric.unit:
                properties[name]["unit"] = _UNITS.get(metric.unit, metric.unit)
        self._description = orjson.dumps({"homie": "5.0", "version": _VERSION, "name": device.id, "nodes": nodes})
        self._places = [(metric.name, f"{self._root}/{metric.name.replace('.', '/')}") for metric in device.measured]
        self._qos = device.qos

    def will(self) -> Will:
        return Will(f"{self._root}/$state", b"lost", retain=True)

    def births(self, time_us: int, _values: Sequence[Value | None]) -> Sequence[Encoded]:
        attributes = (("$state", b"init"), ("$description", self._description), ("$state", b"ready"))
        return [
            Encoded(f"{self._root}/{name}", payload, (), (), time_us, retain=True, qos=self._qos)
            for name, payload in attributes
        ]

    def encode(self, time_us: int, values: Sequence[Value | None]) -> Sequence[Encoded]:
        # The convention knows no NaN: a property without a value is not sent.
        return [
            Encoded(
                topic,
                str(value).lower().encode() if isinstance(value, bool) else str(value).encode(),
                (name,),
                (value,),
                time_us,
                timed=False,
                retain=True,
                qos=self._qos,
            )
            for (name, topic), value in zip(self._places, values, strict=True)
            if value is not None
        ]


FORMAT: Final = Format(
    "homie",
    Homie,
    "homie/5/{device}/{metric}",
    re.compile(r"homie/5/\{device\}/\{metric\}"),
    metric=re.compile(r"[a-z0-9][a-z0-9-]*\.[a-z0-9][a-z0-9-]*"),
    metric_example="engine.temperature",
    id=re.compile(r"[a-z0-9][a-z0-9-]*"),
    id_example="super-car",
    decoder="homie",
    dots_are_levels=True,
)
