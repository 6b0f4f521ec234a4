"""From one metric and what its birth says of it to readings, or to a remark why there is none.

Not here: aliases and states (node), which messages a metric may stand in (decoder), what a datatype is (values).
"""

from typing import Final

from hub.telemetry import units
from hub.telemetry.decoders.sparkplug import values
from hub.telemetry.decoders.sparkplug.node import Definition
from hub.telemetry.decoders.sparkplug.schema import QUALITY, UNIT, Metric
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.scalars import as_stored
from hub.telemetry.validation import MAX_ITEMS, OLDEST_US, text_fault, unit_fault
from storage.reading import Reading

BD_SEQ: Final = "bdSeq"
ATTRIBUTES: Final = ("Node Control/", "Device Control/", "Properties/")
_QUALITIES: Final = {0: "quality_bad", 500: "quality_stale"}


class MetricReader:
    """Collects the readings of one message."""

    def __init__(self, device: str, payload_ms: int | None, received_us: int, notes: Notes, arrays: bool) -> None:
        self.readings: list[Reading] = []
        self._device = device
        self._payload_ms = payload_ms
        self._received_us = received_us
        self._notes = notes
        self._arrays = arrays
        self._elements = 0

    def unit(self, metric: Metric, name: str) -> str:
        """Return the unit that the metric's properties say, as it is stored."""
        unit = metric.properties.get(UNIT)
        if not isinstance(unit, str):
            return ""
        symbol = units.symbol(unit, name)
        if fault := unit_fault(symbol):
            self._notes.fault("bad_unit", f"{name!r}: the unit {fault}")
            return ""
        return symbol

    def read(self, metric: Metric, definition: Definition, stamp_ms: int | None) -> None:
        """Read the metric's value; `stamp_ms` is its own time."""
        name, notes = definition.name, self._notes
        if name == BD_SEQ or name.startswith(ATTRIBUTES):
            notes.skip("metadata")
        elif metric.is_null:
            notes.skip("no_value")
        elif kind := values.NO_READINGS.get(definition.datatype):
            notes.skip(kind)
        elif metric.field is None:
            notes.fault("bad_value", f"{name!r} has no value and is not null")
        else:
            quality = metric.properties.get(QUALITY)
            if isinstance(quality, int) and quality in _QUALITIES:
                notes.skip(_QUALITIES[quality])
            try:
                self._readings_of(metric, definition, metric.field, stamp_ms)
            except ValueError as error:
                notes.fault("bad_value", f"{name!r}: {error}")

    def _readings_of(self, metric: Metric, definition: Definition, field: str, stamp_ms: int | None) -> None:
        name, datatype = definition.name, definition.datatype
        unit = self.unit(metric, name) or definition.unit
        if datatype not in values.ARRAY_TYPES:
            value = values.scalar(datatype, field, metric.value)
            self._reading(metric, name, value, unit or values.TYPES[datatype].unit, stamp_ms)
        elif not self._arrays:
            self._notes.skip("array")
        elif field != "bytes_value":
            raise ValueError(f"an array does not come in {field}")
        else:
            self._elements += values.count(datatype, metric.value)
            if self._elements > MAX_ITEMS:
                raise PayloadError("too_many_items", f"more than {MAX_ITEMS} elements of arrays in one payload")
            for position, value in enumerate(values.elements(datatype, metric.value)):
                element = f"{name}.{position}"
                self._reading(metric, element, value, unit or values.ARRAY_UNITS.get(datatype, ""), stamp_ms)

    def _reading(self, metric: Metric, name: str, value: values.Scalar, unit: str, stamp_ms: int | None) -> None:
        notes = self._notes
        if isinstance(value, str):
            if fault := text_fault(value):
                raise ValueError(fault)
        elif isinstance(value, int) and not isinstance(value, bool):
            value = as_stored(value, notes)
        elif isinstance(value, float) and not -float("inf") < value < float("inf"):
            notes.skip("no_value")
            return
        time_us = self._time_us(stamp_ms)
        reading = Reading(self._device, name, self._received_us if time_us is None else time_us, value, unit)
        if metric.is_transient:
            # Neither stored, as it is transient, nor shown as new, as it is historical.
            notes.skip("transient") if metric.is_historical else notes.show_only(reading)
        elif metric.is_historical:
            notes.store_only(reading)
        else:
            self.readings.append(reading)
            if time_us is None:
                notes.without_time(1)

    def _time_us(self, stamp_ms: int | None) -> int | None:
        """Return the metric's time, else the payload's; a clock that counts from boot is none."""
        for milliseconds in (stamp_ms, self._payload_ms):
            if milliseconds is not None and milliseconds * 1_000 >= OLDEST_US:
                return milliseconds * 1_000
        return None
