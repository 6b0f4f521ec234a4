"""Sparkplug B's datatypes: what a metric's value means, by the number of its type (device-formats section 5.2).

A table: the fields in which a value of the type may come, and how it is read. Integers travel in unsigned fields; encoders
disagree whether a negative one is cut to its own width or to the field's, so it is masked to the width and then signed.

Raises ValueError for a value that its type cannot have; the caller knows the metric's name.
"""

import struct
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

from hub.telemetry.scalars import shortest

Scalar: TypeAlias = int | float | bool | str

TEXTS: Final = frozenset({12, 14, 15})  # String, Text, UUID: encoders call one the other
BOOLEAN_ARRAY: Final = 32
STRING_ARRAY: Final = 33
DATA_SET: Final = 16
TEMPLATE: Final = 19
NO_READINGS: Final = {17: "binary", 18: "binary"}
"""Types that hold no reading, with the kind that they are counted as."""


class Type(NamedTuple):
    """One row of the table."""

    name: str
    fields: tuple[str, ...]
    read: Callable[[Any], Scalar]
    unit: str = ""


def _signed(bits: int) -> Callable[[int], int]:
    half, full = 1 << (bits - 1), 1 << bits
    return lambda raw: ((raw & (full - 1)) ^ half) - half


def _unsigned(bits: int) -> Callable[[int], int]:
    return lambda raw: raw & ((1 << bits) - 1)


def _as_is(raw: Scalar) -> Scalar:
    return raw


_INT: Final = ("int_value", "long_value")
_LONG: Final = ("long_value",)
_FLOAT: Final = ("float_value", "double_value")
_TEXT: Final = ("string_value",)

TYPES: Final = {
    1: Type("Int8", _INT, _signed(8)),
    2: Type("Int16", _INT, _signed(16)),
    3: Type("Int32", _INT, _signed(32)),
    4: Type("Int64", _LONG, _signed(64)),
    5: Type("UInt8", _INT, _unsigned(8)),
    6: Type("UInt16", _INT, _unsigned(16)),
    7: Type("UInt32", _INT, _unsigned(32)),
    8: Type("UInt64", _LONG, _unsigned(64)),
    9: Type("Float", _FLOAT, _as_is),
    10: Type("Double", _FLOAT, _as_is),
    11: Type("Boolean", ("boolean_value",), _as_is),
    12: Type("String", _TEXT, _as_is),
    13: Type("DateTime", _LONG, _signed(64), "ms"),
    14: Type("Text", _TEXT, _as_is),
    15: Type("UUID", _TEXT, _as_is),
}

# The packed arrays: element type as `struct` names it, little-endian. DateTime is a row of 64-bit milliseconds.
ARRAYS: Final = {22: "b", 23: "h", 24: "i", 25: "q", 26: "B", 27: "H", 28: "I", 29: "Q", 30: "f", 31: "d", 34: "q"}
ARRAY_TYPES: Final = frozenset({*ARRAYS, BOOLEAN_ARRAY, STRING_ARRAY})
ARRAY_UNITS: Final = {34: "ms"}


def known(datatype: int) -> bool:
    """Return whether the specification has a type of this number for metrics."""
    return datatype in TYPES or datatype in {DATA_SET, TEMPLATE} or datatype in NO_READINGS or datatype in ARRAY_TYPES


def name(datatype: int) -> str:
    """Return what the specification calls a datatype, as far as it holds one value."""
    return TYPES[datatype].name if datatype in TYPES else f"datatype {datatype}"


def scalar(datatype: int, field: str, raw: Scalar) -> Scalar:
    """Return the value that `field` carries; `datatype` is one of TYPES."""
    row = TYPES[datatype]
    if field not in row.fields:
        raise ValueError(f"{row.name} does not come in {field}")
    return shortest(raw) if field == "float_value" and isinstance(raw, float) else row.read(raw)


def count(datatype: int, raw: bytes) -> int:
    """Return the number of elements of a packed array, before they are read."""
    if datatype == STRING_ARRAY:
        return raw.count(b"\0")
    return (
        8 * max(0, len(raw) - 4) if datatype == BOOLEAN_ARRAY else len(raw) // struct.calcsize(f"<{ARRAYS[datatype]}")
    )


def elements(datatype: int, raw: bytes) -> list[Scalar]:
    """Return the elements of a packed array; `datatype` is one of ARRAY_TYPES."""
    if datatype == STRING_ARRAY:
        *texts, rest = raw.split(b"\0")
        if rest:
            raise ValueError("the last text of the array has no end")
        return [text.decode() for text in texts]  # UnicodeDecodeError is a ValueError
    if datatype == BOOLEAN_ARRAY:
        return _booleans(raw)
    element = ARRAYS[datatype]
    if len(raw) % struct.calcsize(f"<{element}"):
        raise ValueError(f"{len(raw)} bytes are no whole number of elements")
    read = shortest if element == "f" else _as_is
    return [read(value) for (value,) in struct.iter_unpack(f"<{element}", raw)]


def _booleans(raw: bytes) -> list[Scalar]:
    """A count of 32 bit, then bits, the most significant of a byte first."""
    count = int.from_bytes(raw[:4], "little")
    bits = raw[4:]
    if len(raw) < 4 or len(bits) != (count + 7) // 8:
        raise ValueError(f"{len(bits)} bytes do not hold {count} truth values")
    return [bool(bits[i >> 3] & (0x80 >> (i & 7))) for i in range(count)]
