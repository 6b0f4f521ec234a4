"""Homie's payloads: text, and what a property's datatype makes of it (device-formats section 10).

The datatype decides, not the look: `007` of type string stays text. Where it is not known (attributes come in any order,
and a hub that was restarted has not seen them) the look decides. Times, durations, colours, JSON are kept as text.
"""

import re
from typing import Final

from hub.telemetry.errors import PayloadError
from hub.telemetry.validation import text_fault

EMPTY_TEXT: Final = (
    b"\0"  # MQTT deletes a retained message with an empty payload, so Homie sends the empty text as this
)
NO_VALUE_TEXTS: Final = frozenset({"nan", "NaN", "inf", "None", "null", "unavailable", "unknown"})
TEXT_TYPES: Final = frozenset({"string", "enum", "color", "datetime", "duration", "json"})
_VALUE_TYPES: Final = frozenset({"integer", "float", "boolean"})
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,400}(?:\.[0-9]{1,400})?(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)
_BOOLEANS: Final = {"true": True, "false": False}
_BEYOND_INT64: Final = 2.0**63


def datatype_of(text: str) -> str:
    """Return the datatype that `text` names, empty for one that Homie does not have."""
    return text if text in TEXT_TYPES or text in _VALUE_TYPES else ""


def value_of(body: bytes, datatype: str) -> int | float | bool | str | None:
    """Return a property's value; None where the text says that there is none.

    Raises:
        PayloadError: `bad_text`, `bad_value`, `integer_range`.

    """
    try:
        text = "" if body == EMPTY_TEXT else body.decode()
    except UnicodeDecodeError as error:
        raise PayloadError("bad_text", str(error)) from None
    if fault := text_fault(text):
        raise PayloadError("bad_text", fault)
    if datatype in TEXT_TYPES:
        return text
    if datatype == "integer" and _INTEGER.fullmatch(text):
        return _in_64_bit(int(text))
    if datatype == "float" and (number := _number(text)) is not None:
        return number
    if datatype == "boolean" and text in _BOOLEANS:
        return _BOOLEANS[text]
    if datatype in _VALUE_TYPES:
        raise PayloadError("bad_value", f"{text[:80]!r} is no {datatype}")
    return _by_look(text)


def _by_look(text: str) -> int | float | bool | str | None:
    if text in NO_VALUE_TEXTS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text) and not -_BEYOND_INT64 <= int(text) < 2 * _BEYOND_INT64:
        return text  # longer than any number: a serial number, a telephone's
    number = _number(text)
    return text if number is None else number


def _number(text: str) -> float | None:
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if -float("inf") < number < float("inf") else None


def _in_64_bit(number: int) -> int:
    if not -_BEYOND_INT64 <= number < 2 * _BEYOND_INT64:
        raise PayloadError("integer_range", f"{number} does not fit into 64 bit")
    return number
