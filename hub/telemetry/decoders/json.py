"""Plain JSON, the shapes that fleets send without a specification (device-formats section 2).

    {"temperature": 21.5, "env": {"ok": true}}           metrics temperature, env.ok
    {"ts": 1451649600512, "values": {"a": 1}}            ThingsBoard: metric a
    {"metric": "t", "value": 21.5, "unit": "°C"}         one metric by name
    [{...}, {...}]                                       several of the above, each with its own time
    21.5                                                 one value

Not here: the JSON text itself (strict_json), values and their names (leaves), what a clock means (clock). Rules: a bad key
costs that key alone, a bad time the record; booleans in quotes stay text.
"""

from datetime import tzinfo
from functools import lru_cache
from typing import Final

from hub.telemetry import clock, units
from hub.telemetry.decoders import strict_json
from hub.telemetry.decoders.leaves import Leaves
from hub.telemetry.decoders.strict_json import BEYOND_INT64, JsonValue
from hub.telemetry.errors import PayloadError
from hub.telemetry.notes import Notes
from hub.telemetry.origin import Origin
from hub.telemetry.scalars import EXACT_INT
from hub.telemetry.validation import MAX_ITEMS, MAX_NAME_CHARS, unit_fault
from storage.reading import Reading

# In the order of trust, where a record has several. `t` is a time only beside `value`: alone it means temperature.
TIME_KEYS: Final = ("ts", "time", "timestamp", "Time", "datetime", "date", "last_seen")
TIME_KEYS_BESIDE_VALUE: Final = (*TIME_KEYS, "t")
NAMED_VALUE_KEYS: Final = frozenset({"metric", "name", "value", "unit", *TIME_KEYS_BESIDE_VALUE})
_SPECIAL_KEYS: Final = frozenset({*TIME_KEYS, "value", "values"} - {"ts"})
_UNDERSCORE: Final = ord("_")  # looking for an integer takes a tenth of looking for octets
_suffix = lru_cache(maxsize=4096)(units.suffix)  # asked for names that can be stored, so at most 1 MiB
_new = tuple.__new__  # half of what Reading(...) costs; three of them a message


def decode(body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Decode one payload; see the head of this file and `Decoder`."""
    text = body.removeprefix(strict_json.BOM)
    if not text or text.isspace():  # a retained topic is deleted with an empty payload
        notes.skip("empty")
        return []
    document = strict_json.parse(text)
    if document.__class__ is dict and text.count(b":") == len(document):
        readings = _flat(document, origin.device, received_us, notes)
        if readings:
            return _with_units(readings) if _UNDERSCORE in text else readings
    return readings_of(strict_json.checked(document, text), origin, received_us, notes)


def _flat(record: dict[str, JsonValue], device: str, received_us: int, notes: Notes) -> list[Reading] | None:
    """Take the shortcut for what most devices send: numbers by name, `ts` a number or absent, no key twice (the caller
    counted). Return None, and change nothing, for everything else.
    """
    timed = "ts" in record
    time_us: int | None = received_us
    if timed:
        ts = record["ts"]
        if ts.__class__ is not int:
            return None
        time_us = ts * 1_000 if 10**11 <= ts < 10**14 else clock.from_number(ts)
    if time_us is None or len(record) > MAX_ITEMS or not _SPECIAL_KEYS.isdisjoint(record):
        return None
    readings: list[Reading] = []
    add = readings.append
    for metric, value in record.items():
        if value.__class__ is float:
            if not -BEYOND_INT64 < value < BEYOND_INT64:
                return None
        elif value.__class__ is int:
            if metric == "ts":
                continue
            if not -EXACT_INT <= value <= EXACT_INT:
                return None
            value = float(value)  # noqa: PLW2901 - int and float are one kind of reading
        elif value.__class__ is not bool:
            return None
        add(_new(Reading, (device, metric, time_us, value, "")))
    if readings and not timed:
        notes.without_time(len(readings))
    return readings


def _with_units(readings: list[Reading]) -> list[Reading]:
    """Add the units that names end with, as the general way does."""
    for position, (_, metric, _, value, _) in enumerate(readings):
        if len(metric) <= MAX_NAME_CHARS and (unit := _suffix(metric)) and value.__class__ is float:
            readings[position] = readings[position]._replace(unit=unit)
    return readings


def readings_of(document: JsonValue, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Read a document of any of the shapes above, whatever it was written in; depth and items are the caller's duty."""
    return _Message(origin, received_us, notes).readings_of(document)


class _Message:
    """One payload on the general way: any shape, remarks on what is left out."""

    def __init__(self, origin: Origin, received_us: int, notes: Notes) -> None:
        self._origin = origin
        self._received_us = received_us
        self._notes = notes
        self._leaves = Leaves(origin, received_us, notes)
        self._readings = self._leaves.readings

    def readings_of(self, document: JsonValue) -> list[Reading]:
        if isinstance(document, dict):
            self._record(document)
        elif isinstance(document, list):
            self._records(document)
        else:
            self._leaves.device, metric = self._origin.scalar_series()
            self._leaves.leaf(metric, document)
            self._notes.without_time(len(self._readings))
        return self._readings

    def _records(self, records: list[JsonValue]) -> None:
        """Decode each record; one that is bad does not cost the others, one alone is an error of the payload."""
        for position, record in enumerate(records):
            if not isinstance(record, dict):
                self._notes.fault("not_a_record", f"[{position}] is no object")
                continue
            try:
                self._record(record)
            except PayloadError as error:
                self._notes.fault(error.reason, f"[{position}] {error.detail}")

    def _record(self, record: dict[str, JsonValue]) -> None:
        time_keys = TIME_KEYS_BESIDE_VALUE if "value" in record else TIME_KEYS
        present = [key for key in time_keys if key in record and not isinstance(record[key], dict | list)]
        device_time_us = _first_time(record, present, self._origin.zone)
        self._leaves.time_us = self._received_us if device_time_us is None else device_time_us
        before = len(self._readings)
        values = record.get("values")
        value = record.get("value")
        if "value" in record and NAMED_VALUE_KEYS.issuperset(record) and not isinstance(value, dict | list):
            self._named_value(record, value)
        elif isinstance(values, dict) and len(record) == 1 + len(present) and present:
            self._leaves.branch("", values)
        else:
            self._leaves.branch("", {key: value for key, value in record.items() if key not in present})
        if device_time_us is None and len(self._readings) > before:
            self._notes.without_time(len(self._readings) - before)

    def _named_value(self, record: dict[str, JsonValue], value: str | float | bytes | None) -> None:
        name = record.get("metric", record.get("name"))
        metric = "value" if name is None else name
        unit = record.get("unit")
        if not isinstance(metric, str):
            raise PayloadError("bad_metric", "the metric's name is no text")
        if unit is not None and not isinstance(unit, str):
            raise PayloadError("bad_unit", "the unit is no text")
        symbol = units.symbol(unit, metric) if unit else ""
        if fault := unit_fault(symbol):
            raise PayloadError("bad_unit", f"the unit {fault}")
        self._leaves.leaf(metric, value, symbol)


def _first_time(record: dict[str, JsonValue], keys: list[str], zone: tzinfo) -> int | None:
    """Return the first time in µs that can be understood; None where the device has no wall clock or says null."""
    refused: PayloadError | None = None
    for key in keys:
        try:
            time_us = _time_of(record[key], zone)
        except PayloadError as error:
            refused = refused or PayloadError(error.reason, f"{key!r}: {error.detail}")
            continue
        if time_us is not None:
            return time_us
    if refused is not None:
        raise refused
    return None


def _time_of(value: JsonValue, zone: tzinfo) -> int | None:
    if isinstance(value, bool):
        raise PayloadError("bad_time", f"{value} is no time")
    if isinstance(value, str):
        return clock.from_text(value, zone)
    if isinstance(value, int | float):
        return clock.from_number(value)
    return None
