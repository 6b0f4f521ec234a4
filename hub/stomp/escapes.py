"""Escapes in header names and values, by dialect (STOMP 1.2, "Value Encoding")."""

from hub.refusal import Reason, quoted
from hub.stomp.dialects import BY_VERSION, OPENING, Dialect
from hub.stomp.frames import FrameError

_ESCAPED = {row.version: row.escaped for row in (OPENING, *BY_VERSION.values())}


def unescape(text: str, dialect: Dialect) -> str:
    """Undo the dialect's escapes in one pass from left to right.

    Raises:
        FrameError: a backslash before anything that the dialect does not define (a fatal error, says the text).
    """
    if "\\" not in text:
        return text
    parts = text.split("\\")
    plain = [parts[0]]
    position = 1
    while position < len(parts):
        part = parts[position]
        if part:
            code, rest = part[0], part[1:]
        elif position + 1 < len(parts):
            # An empty part is the second backslash of a pair; what follows it belongs to the text.
            code, rest = "\\", parts[position + 1]
            position += 1
        else:
            code, rest = "", ""
        if code not in dialect.escapes:
            raise FrameError(Reason.BAD_ESCAPE, f"{quoted(chr(92) + code)} is not defined in STOMP {dialect.version}")
        plain += (dialect.escapes[code], rest)
        position += 1
    return "".join(plain)


def escape(text: str, dialect: Dialect) -> str:
    """Write header text by the dialect's rules; what it cannot express becomes a space."""
    if text.isalnum():
        return text
    if dialect.escapes:
        for char, escaped in _ESCAPED[dialect.version]:
            if char in text:
                text = text.replace(char, escaped)
    for char in dialect.unsayable:
        if char in text:
            text = text.replace(char, " ")
    return text
