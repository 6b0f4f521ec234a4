"""From named values, nested as they come, to readings: shared by all decoders of JSON and CBOR.

Rules: nested objects give names joined by dots, keys unchanged; arrays are read only where the route says so; a number in
quotes is a number only where the route says so; null, empty text and words for "no value" are no readings; a bad value
costs that value alone, and is named with its place. The caller has bounded depth.

A decoder whose firmware has habits of its own derives from it: LEFT_OUT, `text`, `array`, `unit_of`.
"""

from math import isfinite
from typing import ClassVar

from hub.telemetry import units
from hub.telemetry.decoders.strict_json import JsonValue, Unreadable
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from hub.telemetry.scalars import as_stored, names, no_value, number_in
from hub.telemetry.validation import MAX_ITEMS, path_fault
from storage.reading import Reading


class Leaves:
    """Collects readings of one device at one time after the other; both are set by the caller."""

    __slots__ = ("_notes", "_origin", "device", "readings", "time_us")
    LEFT_OUT: ClassVar[frozenset[str]] = frozenset()
    """Keys of what is no reading, on every level."""

    def __init__(self, origin: Origin, time_us: int, notes: Notes) -> None:
        self._origin = origin
        self._notes = notes
        self.device = origin.device
        self.time_us = time_us
        self.readings: list[Reading] = []

    def branch(self, prefix: str, branch: dict[str, JsonValue]) -> None:
        """Walk one level and those below it."""
        for key, value in branch.items():
            if key in self.LEFT_OUT:
                continue
            if fault := path_fault(prefix, key):
                self._notes.fault("bad_metric", fault)
                continue
            self.value(f"{prefix}{key}", value)

    def value(self, metric: str, value: JsonValue, unit: str = "") -> None:
        """Take whatever is under a name."""
        if isinstance(value, dict):
            self.branch(f"{metric}.", value)
        elif isinstance(value, list):
            self.array(metric, value)
        else:
            self.leaf(metric, value, unit)

    def array(self, metric: str, elements: list[JsonValue]) -> None:
        if not elements:
            self._notes.skip("no_value")
        elif self._origin.arrays:
            self.branch(f"{metric}.", {str(position): element for position, element in enumerate(elements)})
        else:
            self._notes.skip("array")

    def leaf(self, metric: str, value: str | float | bytes | None, unit: str = "") -> None:
        """Take one value; without a unit the one that the metric's name says, if any."""
        if value is None:
            self._notes.skip("no_value")
            return
        if isinstance(value, bytes):
            self._notes.skip("binary")
            return
        if isinstance(value, str):
            if isinstance(value, Unreadable):
                reason, detail = value.fault
                self._notes.fault(reason, f"{metric[:80]!r}: {detail}")
                return
            read = self.text(metric, value)
            if read is None:
                return
            value = read
        if isinstance(value, int | float) and not isinstance(value, bool):
            if not isfinite(value):  # an expression can make one
                self._notes.fault("not_a_number", f"{metric[:80]!r} is {value}")
                return
            value = as_stored(value, self._notes)
            unit = unit or self.unit_of(metric)
        if len(self.readings) >= MAX_ITEMS:
            raise PayloadError("too_many_items", f"more than {MAX_ITEMS} values in one payload")
        self.readings.append(Reading(self.device, metric, self.time_us, value, unit))

    def text(self, metric: str, text: str) -> str | float | bool | None:
        """Return what a text is; None, which is noted, where it is no reading."""
        if no_value(text):
            self._notes.skip("no_value")
            return None
        number = number_in(text) if self._origin.numbers_in_text and not names(metric) else None
        return text if number is None else number

    def unit_of(self, metric: str) -> str:
        """Return the unit of a number, as far as its name says it."""
        return units.suffix(metric)
