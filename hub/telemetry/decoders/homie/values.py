"""Homie's payloads: text, and what a property's datatype makes of it (device-formats section 10).

The datatype decides, not the look: `007` of type string stays text. Where it is not known (attributes come in any order,
and a hub that was restarted has not seen them) the look decides. Times, durations, colours, JSON are kept as text.
"""

from typing import Final

from hub.telemetry.errors import PayloadError
from hub.telemetry.scalars import NO_VALUE_TEXTS, number_in
from hub.telemetry.validation import text_fault

EMPTY_TEXT: Final = (
    b"\0"  # MQTT deletes a retained message with an empty payload, so Homie sends the empty text as this
)
TEXT_TYPES: Final = frozenset({"string", "enum", "color", "datetime", "duration", "json"})
_VALUE_TYPES: Final = frozenset({"integer", "float", "boolean"})
_BOOLEANS: Final = {"true": True, "false": False}


def datatype_of(text: str) -> str:
    """Return the datatype that `text` names, empty for one that Homie does not have."""
    return text if text in TEXT_TYPES or text in _VALUE_TYPES else ""


def value_of(body: bytes, datatype: str) -> int | float | bool | str | None:
    """Return a property's value; None where the text says that there is none.

    Raises:
        PayloadError: `bad_text`, `bad_value`, `integer_range`, `number_range`.

    """
    try:
        text = "" if body == EMPTY_TEXT else body.decode()
    except UnicodeDecodeError as error:
        raise PayloadError("bad_text", str(error)) from None
    if fault := text_fault(text):
        raise PayloadError("bad_text", fault)
    if datatype in TEXT_TYPES:
        return text
    if datatype not in _VALUE_TYPES:
        return _by_look(text)
    value = _BOOLEANS.get(text) if datatype == "boolean" else number_in(text)
    if value is None or (datatype == "integer" and not isinstance(value, int)):
        raise PayloadError("bad_value", f"{text[:80]!r} is no {datatype}")
    return value


def _by_look(text: str) -> int | float | bool | str | None:
    if text and text in NO_VALUE_TEXTS:  # the empty text was sent as such
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    try:
        number = number_in(text)
    except PayloadError:  # beyond any number: a serial number, a telephone's
        return text
    return text if number is None else number
