"""What is known of one Homie device: types and units of its properties, its state, its children.

Versions 3 and 4 say so in one topic an attribute, version 5 in one `$description`. Not here: topics, values.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from hub.telemetry import units
from hub.telemetry.decoders.homie.values import datatype_of
from hub.telemetry.decoders.memory import Remembered
from hub.telemetry.decoders.strict_json import JsonValue
from hub.telemetry.notes import PayloadError
from hub.telemetry.validation import name_fault, unit_fault

MAX_DEVICES: Final = 20_000
MAX_PROPERTIES: Final = 200_000  # over all devices, children included; about 300 bytes each
MAX_PROPERTIES_OF_A_DEVICE: Final = 5_000
_COUNT: Final = "#"  # how Homie writes the unit of a number of things


class Property(NamedTuple):
    """What is known of a property; empty where it is not."""

    datatype: str = ""
    unit: str = ""


class Device(Remembered):
    """One device; its parts are properties and children. Properties are by `<node>.<property>`."""

    __slots__ = ("children", "properties", "state")

    def __init__(self) -> None:
        super().__init__()
        self.properties: dict[str, Property] = {}
        self.children: tuple[str, ...] = ()
        self.state = ""
        """The word that the device itself said last."""

    def learn(self, metric: str, limit: int, **attribute: str) -> bool:
        """Store an attribute of a property; return whether there was room for it.

        Raises:
            PayloadError: `bad_metric`.

        """
        _check_name(metric)
        known = self.properties.get(metric)
        if known is None:
            if self.size >= min(limit, MAX_PROPERTIES_OF_A_DEVICE):
                return False
            self.size += 1
            known = Property()
        self.properties[metric] = known._replace(**attribute)
        return True

    def describe(self, description: JsonValue, limit: int) -> bool:
        """Replace everything by a `$description`; return whether there was room for it.

        Raises:
            PayloadError: `bad_description`, `bad_metric`, `bad_unit`.

        """
        document = _object(description, "the description")
        properties: dict[str, Property] = {}
        for node, described in _objects(document, "nodes"):
            for name, held in _objects(described, "properties"):
                metric = f"{node}.{name}"
                _check_name(metric)
                properties[metric] = Property(datatype_of(_text(held, "datatype")), symbol(_text(held, "unit"), metric))
        children = document.get("children") or []
        if not isinstance(children, list) or not all(
            isinstance(child, str) and not name_fault(child) for child in children
        ):
            raise PayloadError("bad_description", "children is no array of names")
        if len(properties) + len(children) > min(limit, MAX_PROPERTIES_OF_A_DEVICE):
            return False
        self.properties = properties
        self.children = tuple(str(child) for child in children)
        self.size = len(properties) + len(children)
        return True


def _check_name(metric: str) -> None:
    if fault := name_fault(metric):  # of what is remembered, the length is bounded as well
        raise PayloadError("bad_metric", f"{metric[:80]!r} {fault}")


def symbol(unit: str, metric: str) -> str:
    """Return the stored spelling of a unit; raise PayloadError `bad_unit`."""
    spelt = "count" if unit == _COUNT else units.symbol(unit, metric)
    if fault := unit_fault(spelt):
        raise PayloadError("bad_unit", f"{metric!r}: the unit {fault}")
    return spelt


def _object(value: JsonValue, name: str) -> Mapping[str, JsonValue]:
    if not isinstance(value, dict):
        raise PayloadError("bad_description", f"{name[:80]} is no object")
    return value


def _objects(held: Mapping[str, JsonValue], key: str) -> Iterator[tuple[str, Mapping[str, JsonValue]]]:
    """Yield the objects by name under `key`, which may be missing."""
    for name, value in _object(held.get(key) or {}, key).items():
        yield name, _object(value, name)


def _text(held: Mapping[str, JsonValue], key: str) -> str:
    value = held.get(key)
    return value if isinstance(value, str) else ""
