"""Homie's payloads: text, and what a property's datatype makes of it (device-formats section 10).

The datatype decides, not the looks: `007` of type string stays text. Where it is not known (attributes come in any order,
and a hub that was restarted missed them) the looks decide. Times, durations, colours, JSON are kept as text.
"""

from typing import Final

from hub.telemetry.decoders.text import text_of
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from hub.telemetry.scalars import no_value, number_in

EMPTY_TEXT: Final = (
    b"\0"  # MQTT deletes a retained message with an empty payload, so Homie sends the empty text as this
)
TEXT_TYPES: Final = frozenset({"string", "enum", "color", "datetime", "duration", "json"})
_VALUE_TYPES: Final = frozenset({"integer", "float", "boolean"})
_BOOLEANS: Final = {"true": True, "false": False}


def datatype_of(text: str) -> str:
    """Return the datatype that `text` names, empty for one that Homie does not have."""
    return text if text in TEXT_TYPES or text in _VALUE_TYPES else ""


def value_of(body: bytes, datatype: str, origin: Origin, notes: Notes) -> int | float | bool | str | None:
    """Return a property's value; None where the text says that there is none.

    Raises:
        PayloadError: `not_utf8`, `bad_value`.

    """
    text = "" if body == EMPTY_TEXT else text_of(body, origin, notes)
    if datatype in TEXT_TYPES:
        return text
    if datatype not in _VALUE_TYPES:
        return _by_look(text)
    value = _BOOLEANS.get(text) if datatype == "boolean" else number_in(text, declared=True)
    if value is None or (datatype == "integer" and not isinstance(value, int)):
        raise PayloadError("bad_value", f"{text[:80]!r} is no {datatype}")
    return value


def _by_look(text: str) -> int | float | bool | str | None:
    if text and no_value(text):  # the empty text was sent as such
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    number = number_in(text)  # not that of an identifier: a serial number, a telephone's
    return text if number is None else number
