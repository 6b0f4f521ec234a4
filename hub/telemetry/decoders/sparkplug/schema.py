"""Sparkplug B's protobuf messages: from bytes to payloads and metrics, with what was really on the wire.

The schema is written here, in descriptors built at import, with the fields that a reading needs and no others; the numbers
are those of the Sparkplug B specification, section 6.4.1. Data sets and templates are declared as bytes, and parsed when
somebody asks for what is in them. Not here: what a value means (values), what an alias means (node).

Presence counts: `false`, 0 and the empty text are values that were sent, a field that is missing is None.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from hub.telemetry.notes import PayloadError
from hub.telemetry.validation import MAX_ITEMS

_PACKAGE: Final = "telemetry_hub.sparkplug"
_ONE_OF: Final = frozenset({"Metric", "DataSetValue"})  # of which one value field is set
_KINDS: Final = {
    "uint32": FieldDescriptorProto.TYPE_UINT32,
    "uint64": FieldDescriptorProto.TYPE_UINT64,
    "float": FieldDescriptorProto.TYPE_FLOAT,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "string": FieldDescriptorProto.TYPE_STRING,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
}
# Each row: name, number, kind (one above or a message of this table); `*` marks a repeated one. proto2, as Sparkplug's own.
_MESSAGES: Final[dict[str, tuple[tuple[str, int, str], ...]]] = {
    "PropertyValue": (
        ("type", 1, "uint32"),
        ("is_null", 2, "bool"),
        ("int_value", 3, "uint32"),
        ("long_value", 4, "uint64"),
        ("string_value", 8, "string"),
    ),
    "PropertySet": (("keys", 1, "*string"), ("values", 2, "*PropertyValue")),
    "Metric": (
        ("name", 1, "string"),
        ("alias", 2, "uint64"),
        ("timestamp", 3, "uint64"),
        ("datatype", 4, "uint32"),
        ("is_historical", 5, "bool"),
        ("is_transient", 6, "bool"),
        ("is_null", 7, "bool"),
        ("properties", 9, "PropertySet"),
        ("int_value", 10, "uint32"),
        ("long_value", 11, "uint64"),
        ("float_value", 12, "float"),
        ("double_value", 13, "double"),
        ("boolean_value", 14, "bool"),
        ("string_value", 15, "string"),
        ("bytes_value", 16, "bytes"),
        ("dataset_value", 17, "bytes"),
        ("template_value", 18, "bytes"),
    ),
    "DataSetValue": (
        ("int_value", 1, "uint32"),
        ("long_value", 2, "uint64"),
        ("float_value", 3, "float"),
        ("double_value", 4, "double"),
        ("boolean_value", 5, "bool"),
        ("string_value", 6, "string"),
    ),
    "Row": (("elements", 1, "*DataSetValue"),),
    "DataSet": (("columns", 2, "*string"), ("types", 3, "*uint32"), ("rows", 4, "*Row")),
    "Template": (("metrics", 2, "*Metric"), ("is_definition", 5, "bool")),
    "Payload": (("timestamp", 1, "uint64"), ("metrics", 2, "*Metric"), ("seq", 3, "uint64"), ("uuid", 4, "string")),
}
UNIT: Final = "engUnit"
QUALITY: Final = "Quality"
PROPERTIES: Final = frozenset({UNIT, QUALITY})
"""The properties of a metric that are read."""
COMPRESSED: Final = "SPBV1.0_COMPRESSED"


class Metric(NamedTuple):
    """One metric as it was sent; None where the sender left a field out."""

    name: str | None
    alias: int | None
    timestamp_ms: int | None
    datatype: int | None
    is_historical: bool
    is_transient: bool
    is_null: bool
    properties: Mapping[str, str | int]
    field: str | None
    """The field that carries the value, such as `int_value`."""
    value: Any


class Payload(NamedTuple):
    """One payload as it was sent."""

    timestamp_ms: int | None
    seq: int | None
    metrics: tuple[Metric, ...]

    def value_of(self, name: str, alias: int | None = None) -> int | None:
        """Return the integer that the metric of this name or alias holds: bdSeq, which has several types in the wild."""
        for metric in self.metrics:
            named = metric.name == name or (metric.name is None and alias is not None and metric.alias == alias)
            if named and isinstance(metric.value, int):
                return metric.value
        return None

    def alias_of(self, name: str) -> int | None:
        """Return the alias that the metric is born with, None for none."""
        return next((metric.alias for metric in self.metrics if metric.name == name), None)


def parse(body: bytes) -> Payload:
    """Parse one payload.

    Raises:
        PayloadError: `not_sparkplug`, `bad_text`, `compressed`, `too_many_items`.

    """
    try:
        fields = _fields(_PAYLOAD.FromString(body))
        if fields.get("uuid") == COMPRESSED:
            raise PayloadError("compressed", "a compressed payload is not read")
        metrics = fields.get("metrics", ())
        if len(metrics) > MAX_ITEMS:
            raise PayloadError("too_many_items", f"{len(metrics)} metrics in one payload, {MAX_ITEMS} allowed")
        return Payload(fields.get("timestamp"), fields.get("seq"), tuple(_metric(metric) for metric in metrics))
    except DecodeError as error:
        raise PayloadError("not_sparkplug", str(error)) from None
    except UnicodeDecodeError as error:
        raise PayloadError("bad_text", str(error)) from None


class DataSet(NamedTuple):
    """A table: the names and datatypes of its columns, and the fields and values of its rows; None for no value."""

    columns: tuple[str, ...]
    types: tuple[int, ...]
    rows: tuple[tuple[tuple[str, Any] | None, ...], ...]


class Template(NamedTuple):
    """A structure of metrics, or the definition of one."""

    is_definition: bool
    metrics: tuple[Metric, ...]


def data_set(raw: bytes) -> DataSet:
    """Parse a data set; raise ValueError for bytes that are none, PayloadError `too_many_items`."""
    fields = _parsed("DataSet", raw)
    rows = fields.get("rows", ())
    columns = tuple(_text(column) for column in fields.get("columns", ()))
    if len(rows) * max(1, len(columns)) > MAX_ITEMS:
        raise PayloadError("too_many_items", f"a data set of {len(rows)} rows, {MAX_ITEMS} values allowed")
    return DataSet(columns, tuple(fields.get("types", ())), tuple(_row(row) for row in rows))


def template(raw: bytes) -> Template:
    """Parse a template; raise ValueError for bytes that are none."""
    fields = _parsed("Template", raw)
    return Template(fields.get("is_definition", False), tuple(_metric(metric) for metric in fields.get("metrics", ())))


def _parsed(name: str, raw: bytes) -> dict[str, Any]:
    try:
        return _fields(_CLASSES[name].FromString(raw))
    except DecodeError as error:
        raise ValueError(str(error)) from None


def _row(row: Message) -> tuple[tuple[str, Any] | None, ...]:
    return tuple(next(iter(_fields(element).items()), None) for element in row.elements)  # type: ignore[attr-defined]


def rebirth_command(time_us: int) -> bytes:
    """Return the payload of the NCMD that asks an edge node to send its births again."""
    name, boolean = "Node Control/Rebirth", 11
    metric = {"name": name, "timestamp": time_us // 1_000, "datatype": boolean, "boolean_value": True}
    return _PAYLOAD(timestamp=time_us // 1_000, metrics=[metric]).SerializeToString()


def _metric(message: Message) -> Metric:
    fields = _fields(message)
    carrier = next((name for name in reversed(fields) if name.endswith("_value")), None)
    return Metric(
        fields.get("name"),
        fields.get("alias"),
        fields.get("timestamp"),
        fields.get("datatype"),
        fields.get("is_historical", False),
        fields.get("is_transient", False),
        fields.get("is_null", False),
        _properties(fields["properties"]) if "properties" in fields else {},
        carrier,
        None if carrier is None else fields[carrier],
    )


def _properties(message: Message) -> dict[str, str | int]:
    """Return those of PROPERTIES that are texts and integers; the first of equal keys counts, as keys and values pair up.

    No value of another is looked at: a payload of 1 MiB may hold 130,000.
    """
    fields = _fields(message)
    values = fields.get("values", ())
    places: dict[str, int] = {}
    for place, key in enumerate(fields.get("keys", ())):
        name = _text(key)
        if name in PROPERTIES and name not in places and place < len(values):
            places[name] = place
    found: dict[str, str | int] = {}
    for key, place in places.items():
        held = _fields(values[place])
        for carrier in ("int_value", "long_value", "string_value"):
            if carrier in held and not held.get("is_null", False):
                found[key] = held[carrier]
    return found


def _fields(message: Message) -> dict[str, Any]:
    """Return what is present, by name, in the order of the field numbers."""
    return {
        field.name: _text(value) if field.type == FieldDescriptorProto.TYPE_STRING and not field.is_repeated else value
        for field, value in message.ListFields()
    }


def _text(value: str | bytes) -> str:
    # proto2 does not check texts: protobuf's C side hands bytes that are not UTF-8 through as bytes.
    return value if isinstance(value, str) else value.decode()


def _schema() -> FileDescriptorProto:
    schema = FileDescriptorProto(name="hub/telemetry/sparkplug.proto", package=_PACKAGE, syntax="proto2")
    for name, rows in _MESSAGES.items():
        message = schema.message_type.add(name=name)
        if name in _ONE_OF:
            message.oneof_decl.add(name="value")
        for field_name, number, kind in rows:
            label = FieldDescriptorProto.LABEL_REPEATED if kind[0] == "*" else FieldDescriptorProto.LABEL_OPTIONAL
            field = message.field.add(name=field_name, number=number, label=label)
            if (scalar := _KINDS.get(kind.lstrip("*"))) is not None:
                field.type = scalar
            else:
                field.type = FieldDescriptorProto.TYPE_MESSAGE
                field.type_name = f".{_PACKAGE}.{kind.lstrip('*')}"
            if name in _ONE_OF and field_name.endswith("_value"):
                field.oneof_index = 0
    return schema


def _classes() -> dict[str, type[Message]]:
    pool = DescriptorPool()  # an own one: the names of another library's Sparkplug schema cannot collide with ours
    pool.AddSerializedFile(_schema().SerializeToString())
    names = ("Payload", "DataSet", "Template")
    return {name: GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in names}


_CLASSES: Final = _classes()
_PAYLOAD: Final = _CLASSES["Payload"]
