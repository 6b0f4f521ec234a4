"""Plain JSON, the shapes that fleets send without a specification (device-formats section 2).

    {"temperature": 21.5, "env": {"ok": true}}           metrics temperature, env.ok
    {"ts": 1451649600512, "values": {"a": 1}}            ThingsBoard: metric a
    {"metric": "t", "value": 21.5, "unit": "°C"}         one metric by name
    [{...}, {...}]                                       several of the above, each with its own time
    21.5                                                 one value
    {"specversion": "1.0", "data": {...}}                what a cloud or a gateway has put around one of these

Not here: the JSON text itself (strict_json), values and their names (leaves), what a clock means (clock), what is wrapped
around a record (envelopes). Rules: a bad key costs that key alone; a bad time costs the time, and the record gets that of
its receipt; booleans in quotes stay text; names from the topic come before those of the payload.
"""

from functools import lru_cache
from typing import Final

import orjson

from hub.telemetry import clock, units
from hub.telemetry.decoders import envelopes, strict_json
from hub.telemetry.decoders.leaves import Leaves
from hub.telemetry.decoders.row import ALL_OPTIONS, Guess, Peek, Row, Topics
from hub.telemetry.decoders.strict_json import BEYOND_INT64, JsonValue
from hub.telemetry.decoders.text import is_empty
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from hub.telemetry.scalars import EXACT_INT
from hub.telemetry.validation import MAX_NAME_CHARS
from storage.reading import Reading

# In the order of trust, where a record has several. `t` is a time only beside `value`: alone it means temperature.
TIME_KEYS: Final[tuple[str, ...]] = (
    *("ts", "time", "timestamp", "Time", "datetime", "date", "last_seen"),
    *("Timestamp", "timeStamp", "TimeStamp"),
)
TIME_KEYS_BESIDE_VALUE: Final[tuple[str, ...]] = (*TIME_KEYS, "t")
NAMED_VALUE_KEYS: Final = frozenset({"metric", "name", "value", "unit", *TIME_KEYS_BESIDE_VALUE})
_SPECIAL_KEYS: Final = frozenset({*TIME_KEYS, "value", "values"} - {"ts"})
_UNDERSCORE: Final = ord("_")  # finding an integer takes a tenth of the time of finding bytes
_suffix = lru_cache(maxsize=4096)(units.suffix)  # asked for names that can be stored, so at most 1 MiB
_new = tuple.__new__  # half of what Reading(...) costs; three of them a message


def decode(body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Decode one payload; see the head of this file and `Decoder`."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if is_empty(body):
            notes.skip("empty")
            return []
        return readings_of(strict_json.mended(body, str(error), origin, notes), origin, received_us, notes)
    if document.__class__ is dict and origin.plain and body.count(b":") == len(document):
        readings = _flat(document, origin.device, received_us, notes)
        if readings:
            return _with_units(readings) if _UNDERSCORE in body else readings
    return readings_of(strict_json.checked(document, body), origin, received_us, notes)


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
    if time_us is None or not _SPECIAL_KEYS.isdisjoint(record):
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
        elif isinstance(document, list) and (not document or any(isinstance(record, dict) for record in document)):
            self._records(document)
        else:
            self._leaves.device, metric = self._origin.scalar_series()
            self._leaves.value(metric, document)
            self._notes.without_time(len(self._readings))
        return self._readings

    def _records(self, records: list[JsonValue]) -> None:
        """Decode each record; one that is bad does not cost the others."""
        for position, record in enumerate(records):
            if not isinstance(record, dict):
                self._notes.fault("not_a_record", f"[{position}] is no object")
                continue
            try:
                self._record(record, f"[{position}] ")
            except PayloadError as error:
                if error.reason == "too_many_items":
                    raise
                self._notes.fault(error.reason, f"[{position}] {error.detail}")

    def _record(self, record: dict[str, JsonValue], place: str = "") -> None:
        if points := envelopes.opened(record, self._origin, self._notes):
            for point in points:
                self._point(point, place)
            return
        self._leaves.device = self._origin.device
        time_keys = TIME_KEYS_BESIDE_VALUE if "value" in record else TIME_KEYS
        present = [key for key in time_keys if key in record and not isinstance(record[key], dict | list)]
        self._at(self._first_time(record, present, place))
        before = len(self._readings)
        values = record.get("values")
        value = record.get("value")
        prefix = self._origin.prefix
        if "value" in record and NAMED_VALUE_KEYS.issuperset(record) and not isinstance(value, dict | list):
            self._named_value(record, value)
        elif isinstance(values, dict) and len(record) == 1 + len(present) and present:
            self._leaves.branch(prefix, values)
        else:
            rest = {key: value for key, value in record.items() if key not in present}
            if prefix and "value" in rest:  # the topic names the metric
                self._leaves.value(self._origin.metric, rest.pop("value"))
            self._leaves.branch(prefix, rest)
        self._untimed_since(before)

    def _point(self, point: envelopes.Point, place: str) -> None:
        """Read what an envelope holds: values by name, or a record of its own."""
        before = len(self._readings)
        self._leaves.device = point.device or self._origin.device
        if isinstance(point.content, dict):
            device_us = None
            if point.time is None:
                present = [key for key in TIME_KEYS if key in point.content]
                device_us = self._first_time(point.content, present, place)
                inner = {key: value for key, value in point.content.items() if key not in present}
            else:
                inner = point.content
                device_us = clock.device_time(point.time, self._origin, self._notes, f"{place}{point.time_key}")
            self._at(device_us)
            self._leaves.branch(f"{self._origin.prefix}{point.name}." if point.name else self._origin.prefix, inner)
        else:
            self._at(clock.device_time(point.time, self._origin, self._notes, f"{place}{point.time_key}"))
            self._leaves.value(
                f"{self._origin.prefix}{point.name}" if point.name else "value", point.content, point.unit
            )
        self._untimed_since(before)

    def _named_value(self, record: dict[str, JsonValue], value: str | float | bytes | None) -> None:
        name = record.get("metric", record.get("name"))
        unit = record.get("unit")
        if name is not None and not isinstance(name, str):
            raise PayloadError("bad_metric", "the metric's name is no text")
        if unit is not None and not isinstance(unit, str):
            raise PayloadError("bad_unit", "the unit is no text")
        metric = self._origin.metric or "value" if name is None else f"{self._origin.prefix}{name}"
        self._leaves.leaf(metric, value, units.symbol(unit, metric) if unit else "")

    def _at(self, device_us: int | None) -> None:
        self._timed = device_us is not None
        self._leaves.time_us = self._received_us if device_us is None else device_us

    def _untimed_since(self, before: int) -> None:
        if not self._timed and len(self._readings) > before:
            self._notes.without_time(len(self._readings) - before)

    def _first_time(self, record: dict[str, JsonValue], keys: list[str], place: str) -> int | None:
        """Return the first time in µs that can be understood; None where the device has no wall clock or says null."""
        if self._origin.ignore_time:
            return None
        refused: tuple[str, str] | None = None
        for key in keys:
            try:
                time_us = None if record[key] is None else clock.read(record[key], self._origin, self._notes)
            except PayloadError as error:
                refused = refused or (error.reason, f"{place}{key!r}: {error.detail}")
                continue
            if time_us is not None:
                return time_us
        if refused is not None:
            self._notes.fault(*refused)
        return None


def _guess(peek: Peek, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    if peek.array is None:
        return decode(peek.body, origin, received_us, notes)
    return readings_of(peek.array, origin, received_us, notes)


ROW: Final = Row(
    "json",
    lambda: decode,
    media_types=("application/json",),
    topics=(
        Topics.of("Victron", r"N/(?P<joined>[^/]+/[^/]+/[0-9]+)/(?P<metric>.+)"),
        Topics.of("Azure IoT Hub", r"devices/(?P<device>[^/]+)/messages/events(?:/(?P<rest>.*))?"),
    ),
    guess=Guess(20, b"{[", _guess),
    options=ALL_OPTIONS,
    guesses=True,
)
