"""From values by name, nested as they come, to readings: what decoders of free shapes (JSON, CBOR, the user's own) share.

Rules: nested objects give names joined by dots, keys unchanged; arrays are read only where the route says so; a number in
quotes is a number only where the route says so; null, empty text and words for "no value" are no readings; a bad value
costs that value alone. The caller has bounded depth and items.
"""

from math import isfinite

from hub.telemetry import units
from hub.telemetry.decoders.strict_json import JsonValue
from hub.telemetry.errors import PayloadError
from hub.telemetry.notes import Notes
from hub.telemetry.origin import Origin
from hub.telemetry.scalars import MAX_UINT64, MIN_INT64, NO_VALUE_TEXTS, as_stored, number_in
from hub.telemetry.validation import path_fault, text_fault
from storage.reading import Reading


class Leaves:
    """Collects readings of one device at one time after the other; both are set by the caller."""

    __slots__ = ("_notes", "_origin", "device", "readings", "time_us")

    def __init__(self, origin: Origin, time_us: int, notes: Notes) -> None:
        self._origin = origin
        self._notes = notes
        self.device = origin.device
        self.time_us = time_us
        self.readings: list[Reading] = []

    def branch(self, prefix: str, branch: dict[str, JsonValue] | list[JsonValue]) -> None:
        """Walk one level and those below it."""
        children = branch.items() if isinstance(branch, dict) else ((str(i), v) for i, v in enumerate(branch))
        for key, value in children:
            if fault := path_fault(prefix, key):
                self._notes.fault("bad_metric", fault)
                continue
            self.value(f"{prefix}{key}", value)

    def value(self, metric: str, value: JsonValue, unit: str = "") -> None:
        """Take whatever stands under a name."""
        if isinstance(value, dict):
            self.branch(f"{metric}.", value)
        elif isinstance(value, list):
            if self._origin.arrays:
                self.branch(f"{metric}.", value)
            else:
                self._notes.skip("array")
        else:
            self.leaf(metric, value, unit)

    def leaf(self, metric: str, value: str | float | bytes | None, unit: str = "") -> None:
        """Take one value; without a unit the one that the metric's name ends with, if any."""
        if value is None or (isinstance(value, str) and value in NO_VALUE_TEXTS):
            self._notes.skip("no_value")
            return
        if isinstance(value, bytes):
            self._notes.skip("binary")
            return
        if isinstance(value, str):
            if fault := text_fault(value):
                self._notes.fault("bad_text", f"{metric!r} {fault}")
                return
            if self._origin.numbers_in_text:
                try:
                    number = number_in(value)
                except PayloadError as error:
                    self._notes.fault(error.reason, f"{metric!r}: {error.detail}")
                    return
                value = value if number is None else number
        if isinstance(value, int | float) and not isinstance(value, bool):
            if isinstance(value, int) and not MIN_INT64 <= value <= MAX_UINT64:  # an expression can make one
                self._notes.fault("integer_range", f"{metric!r} does not fit into 64 bit")
                return
            value = as_stored(value, self._notes)
            if not isfinite(value):
                self._notes.skip("no_value")
                return
            unit = unit or units.suffix(metric)
        self.readings.append(Reading(self.device, metric, self.time_us, value, unit))
