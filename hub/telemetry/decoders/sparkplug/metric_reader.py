"""From one metric and what its birth says of it to readings, or to a remark why there is none.

Not here: aliases and states (node), which messages a metric may stand in (decoder), what a datatype is (values).
"""

from typing import Final

from hub.telemetry import units
from hub.telemetry.decoders.sparkplug import schema, values
from hub.telemetry.decoders.sparkplug.node import Definition
from hub.telemetry.decoders.sparkplug.schema import QUALITY, UNIT, Metric
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from hub.telemetry.scalars import as_stored
from hub.telemetry.validation import MAX_DEPTH, MAX_ITEMS, OLDEST_US, unit_fault
from storage.reading import Reading

BD_SEQ: Final = "bdSeq"
ATTRIBUTES: Final = ("Node Control/", "Device Control/", "Properties/")
_QUALITIES: Final = {0: "quality_bad", 500: "quality_stale"}


class MetricReader:
    """Collects the readings of one message."""

    def __init__(self, device: str, payload_ms: int | None, received_us: int, notes: Notes, origin: Origin) -> None:
        self.readings: list[Reading] = []
        self._device = device
        self._payload_ms = payload_ms
        self._received_us = received_us
        self._notes = notes
        self._arrays = origin.arrays
        self._ignore_time = origin.ignore_time
        self._elements = 0

    def unit(self, metric: Metric, name: str) -> str:
        """Return the unit that the metric's properties say, as it is stored."""
        unit = metric.properties.get(UNIT)
        if not isinstance(unit, str):
            return ""
        symbol = units.symbol(unit, name)
        if fault := unit_fault(symbol):  # it is remembered, so its length is bounded here as well
            self._notes.fault("bad_unit", f"{name!r}: the unit {fault}")
            return ""
        return symbol

    def read(self, metric: Metric, definition: Definition, stamp_ms: int | None, depth: int = 1) -> None:
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
                if definition.datatype == values.DATA_SET:
                    self._table(metric, definition, metric.field, stamp_ms)
                elif definition.datatype == values.TEMPLATE:
                    self._members(metric, definition, metric.field, stamp_ms, depth)
                else:
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
            self._count(values.count(datatype, metric.value))
            for position, value in enumerate(values.elements(datatype, metric.value)):
                element = f"{name}.{position}"
                self._reading(metric, element, value, unit or values.ARRAY_UNITS.get(datatype, ""), stamp_ms)

    def _table(self, metric: Metric, definition: Definition, field: str, stamp_ms: int | None) -> None:
        """Read a data set: a metric for each column, and where there are several rows for each row's."""
        if field != "dataset_value":
            raise ValueError(f"a data set does not come in {field}")
        table = schema.data_set(metric.value)
        for number, row in enumerate(table.rows):
            base = definition.name if len(table.rows) == 1 else f"{definition.name}.{number}"
            for column, datatype, element in zip(table.columns, table.types, row, strict=False):
                self._count(1)
                if element is None:
                    self._notes.skip("no_value")
                elif datatype not in values.TYPES:
                    self._notes.fault("bad_datatype", f"{base}.{column}: there is no datatype {datatype} for a cell")
                else:
                    unit = values.TYPES[datatype].unit
                    self._reading(metric, f"{base}.{column}", values.scalar(datatype, *element), unit, stamp_ms)

    def _members(self, metric: Metric, definition: Definition, field: str, stamp_ms: int | None, depth: int) -> None:
        """Read the members of a template's instance as metrics of their own, below its name."""
        if field != "template_value":
            raise ValueError(f"a template does not come in {field}")
        if depth > MAX_DEPTH:
            raise PayloadError("too_deep", f"templates nested deeper than {MAX_DEPTH} levels")
        template = schema.template(metric.value)
        if template.is_definition:
            self._notes.skip("template")
            return
        for member in template.metrics:
            self._count(1)
            name = f"{definition.name}/{member.name}"
            if member.name is None or member.datatype is None or not values.known(member.datatype):
                self._notes.fault("bad_datatype", f"{name[:80]!r}: a member of a template without a name or datatype")
                continue
            own_ms = stamp_ms if member.timestamp_ms is None else member.timestamp_ms
            inherited = member._replace(is_historical=metric.is_historical, is_transient=metric.is_transient)
            unit = self.unit(member, name)
            self.read(
                inherited, Definition(definition.device, name, member.datatype, None, unit, None), own_ms, depth + 1
            )

    def _count(self, elements: int) -> None:
        self._elements += elements
        if self._elements > MAX_ITEMS:
            raise PayloadError("too_many_items", f"more than {MAX_ITEMS} elements of arrays in one payload")

    def _reading(self, metric: Metric, name: str, value: values.Scalar, unit: str, stamp_ms: int | None) -> None:
        notes = self._notes
        if isinstance(value, int) and not isinstance(value, bool):
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
        if self._ignore_time:
            return None
        for milliseconds in (stamp_ms, self._payload_ms):
            if milliseconds is not None and milliseconds * 1_000 >= OLDEST_US:
                return milliseconds * 1_000
        return None
