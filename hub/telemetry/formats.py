"""Formats of the user's own: path expressions (JMESPath) that say where a JSON payload keeps device, time and metrics.

    [[telemetry.formats]]
    filter = "acme/+/up"
    records = "points[]"
    device = "unit.serial"
    time = "at"
    metrics = { temperature = "air.temp", door_open = "door == 'open'" }
    units = { temperature = "°C" }

or, where the payload names its metrics itself:

    [[telemetry.formats]]
    filter = "plant/opc"
    records = "values[]"
    name = "id"
    value = "v"
    time = "t"

Not here: which topic has which format (routes), values and their names (leaves). Rules:
- Expressions are the operator's and compiled once; one that does not parse stops the start. Payloads are never compiled.
- `records` is asked of the document; `metrics`, `name`, `value`, `unit` of each record; `device` and `time` of the record,
  and where that says nothing of the document. What they return is checked like a payload.
- Without a device the topic names it; without a time the time of receipt counts. A bad record costs that record, a bad
  time the time.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import BaseModel, ConfigDict, Field, model_validator

from hub.telemetry import clock, units
from hub.telemetry.decoders import strict_json
from hub.telemetry.decoders.leaves import Leaves
from hub.telemetry.decoders.strict_json import JsonValue
from hub.telemetry.decoders.text import is_empty
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Encoding, Origin, RouteError
from storage.reading import Reading

_Level: TypeAlias = Annotated[int, Field(ge=0)]
DeviceLevel: TypeAlias = _Level | Annotated[tuple[_Level, ...], Field(min_length=1)] | None
MetricLevel: TypeAlias = _Level | tuple[_Level, ...] | Literal["rest"] | None
# JMESPath's own errors are ValueErrors; its functions also fail as Python's do, on values that nobody foresaw.
_FAILURES: Final = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError)
_KINDS: Final[dict[type, str]] = {
    dict: "an object",
    list: "an array",
    str: "a text",
    bool: "a truth value",
    int: "a number",
    float: "a number",
}


class FormatSettings(BaseModel):
    """One `[[telemetry.formats]]` table of the settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    filter: str = Field(description="MQTT topic filter, + and # allowed; ranks with those of the routes")
    records: str = Field(default="@", description="JMESPath of the record or the array of records in the payload")
    device: str | None = Field(default=None, description="JMESPath of the device's name; none: the topic names it")
    time: str | None = Field(default=None, description="JMESPath of the time; none: the time of receipt")
    metrics: str | dict[str, str] = Field(
        default={},
        description="JMESPath of an object with the metrics, or a table with a JMESPath for each metric's name",
    )
    name: str | None = Field(
        default=None, description="JMESPath of the metric's name, where the payload has it; with value"
    )
    value: str | None = Field(default=None, description="JMESPath of the value that has this name")
    unit: str | None = Field(default=None, description="JMESPath of the unit of this value")
    units: dict[str, str] = Field(default={}, description="the unit of each metric that has one, by name")
    device_level: DeviceLevel = Field(
        default=None, description="level of the topic that is the device, counted from 0, or several; as in a route"
    )
    metric_level: MetricLevel = Field(
        default=None,
        description="levels of the topic that stand before the metrics' names, as in a route; none by default",
    )
    arrays: bool = Field(default=False, description="store the elements of arrays as metrics name.0, name.1 ...")
    gateway: bool = Field(default=True, description="whether a payload may name another device than the topic does")
    zone: str | None = Field(
        default=None, description="what a time without a zone means: a name such as Europe/Berlin; none: telemetry.zone"
    )
    encoding: Encoding = Field(default="utf-8", description="how text is encoded; old firmware writes latin-1")
    ignore_time: bool = Field(default=False, description="ignore the payload's times; readings get the time of receipt")

    @model_validator(mode="after")
    def _says_where_the_values_are(self) -> Self:
        if (self.name is None) != (self.value is None) or (self.unit is not None and self.value is None):
            raise ValueError("name and value are needed together, and unit only with them")
        if not self.metrics and self.name is None:
            raise ValueError("metrics, or name and value, must say where the values are")
        return self


class Format:
    """A decoder made from settings; see the head of this file.

    Raises:
        RouteError: an expression cannot be understood.

    """

    def __init__(self, settings: FormatSettings) -> None:
        def compiled(key: str, expression: str) -> Callable[[JsonValue], Any]:
            try:
                return _search(key, jmespath.compile(expression))
            except JMESPathError as error:
                position = getattr(error, "lex_position", None)
                place = "" if position is None else f" at position {position}"
                problem = str(error).partition("\n")[0]
                raise RouteError(f"format {settings.filter!r}: {key}{place}: {expression!r}: {problem}") from None

        self._records = compiled("records", settings.records)
        self._device = None if settings.device is None else compiled("device", settings.device)
        self._time = None if settings.time is None else compiled("time", settings.time)
        self._name = None if settings.name is None else compiled("name", settings.name)
        self._value = None if settings.value is None else compiled("value", settings.value)
        self._unit = None if settings.unit is None else compiled("unit", settings.unit)
        metrics = settings.metrics
        self._object = compiled("metrics", metrics) if isinstance(metrics, str) else None
        self._metrics = (
            {} if isinstance(metrics, str) else {name: compiled(f"metrics.{name}", e) for name, e in metrics.items()}
        )
        self._units: Mapping[str, str] = MappingProxyType(
            {name: units.symbol(unit, name) for name, unit in settings.units.items()}
        )

    def __call__(self, body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
        if is_empty(body):
            notes.skip("empty")
            return []
        document = strict_json.loads(body, origin, notes)
        found = self._records(document)
        leaves = Leaves(origin, received_us, notes)
        for position, record in enumerate(found if isinstance(found, list) else [found]):
            if record is None:
                notes.skip("no_value")
                continue
            place = f"[{position}] " if isinstance(found, list) else ""
            try:
                self._read(record, document, origin, received_us, notes, leaves, place)
            except PayloadError as error:
                if not place or error.reason == "too_many_items":
                    raise
                notes.fault(error.reason, f"{place}{error.detail}")
        return leaves.readings

    def _read(
        self,
        record: Any,
        document: JsonValue,
        origin: Origin,
        received_us: int,
        notes: Notes,
        leaves: Leaves,
        place: str,
    ) -> None:
        leaves.device = self._device_of(record, document, origin)
        time_us = clock.device_time(_first(self._time, record, document), origin, notes, f"{place}time")
        leaves.time_us = received_us if time_us is None else time_us
        before = len(leaves.readings)
        if self._object is not None:
            values = self._object(record)
            if values is None:
                notes.skip("no_value")
                return
            if not isinstance(values, dict):
                raise PayloadError("bad_result", f"metrics: gives {_kind(values)}, an object is needed")
            for name, value in values.items():
                leaves.value(f"{origin.prefix}{name}", value, self._units.get(name, ""))
        for name, search in self._metrics.items():
            leaves.value(f"{origin.prefix}{name}", search(record), self._units.get(name, ""))
        if self._name is not None and self._value is not None:
            self._named_value(self._name(record), self._value(record), record, origin, leaves)
        if time_us is None:
            notes.without_time(len(leaves.readings) - before)

    def _device_of(self, record: Any, document: JsonValue, origin: Origin) -> str:
        found = _first(self._device, record, document)
        if found is None:
            return origin.device
        if isinstance(found, bool) or not isinstance(found, str | int):
            raise PayloadError("bad_device", f"device: gives {_kind(found)}, a text is needed")
        device = str(found)
        if device != origin.device and not origin.gateway:
            raise PayloadError(
                "device_mismatch", f"the payload names {device[:80]!r}, the topic {origin.device[:80]!r}"
            )
        return device

    def _named_value(self, name: Any, value: Any, record: Any, origin: Origin, leaves: Leaves) -> None:
        if isinstance(name, bool) or not isinstance(name, str | int):
            raise PayloadError("bad_metric", f"name: gives {_kind(name)}, a text is needed")
        unit = None if self._unit is None else self._unit(record)
        if unit is not None and not isinstance(unit, str):
            raise PayloadError("bad_unit", f"unit: gives {_kind(unit)}, a text is needed")
        stated = units.symbol(unit, str(name)) if unit else self._units.get(str(name), "")
        leaves.value(f"{origin.prefix}{name}", value, stated)


def _first(search: Callable[[JsonValue], Any] | None, record: JsonValue, document: JsonValue) -> Any:
    if search is None:
        return None
    found = search(record)
    return search(document) if found is None else found


def _search(key: str, expression: Any) -> Callable[[JsonValue], Any]:
    def search(value: JsonValue) -> Any:
        try:
            found = expression.search(value)
        except _FAILURES as error:
            raise PayloadError("bad_result", f"{key}: {error}") from None
        if found is not None and type(found) not in _KINDS:  # an expression that gives an expression
            raise PayloadError("bad_result", f"{key}: gives {_kind(found)}")
        return found

    return search


def _kind(value: object) -> str:
    return "nothing" if value is None else _KINDS.get(type(value), "something else")
