"""From the bytes of a payload to its text, for all decoders of text: what C, Windows and old firmware do to it.

Tolerated, and noted: a byte order mark in front (RFC 8259 section 8.1 allows to), NULs at the end (a C program that sends
the end of its string as well). Anything that is not in the route's encoding is named, with what it looks like.
"""

import re
from typing import Final

import orjson

from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from hub.telemetry.scalars import SPACES

BOM: Final = b"\xef\xbb\xbf"
_MARK: Final = "\ufeff"
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def text_of(body: bytes, origin: Origin, notes: Notes) -> str:
    """Return the text of a payload; raise PayloadError `not_utf8`."""
    try:
        text = body.decode(origin.encoding)
    except UnicodeDecodeError as error:
        raise PayloadError("not_utf8", _named(body, error)) from None
    if body.startswith(BOM):
        notes.tolerate("bom")
        text = text.removeprefix(_MARK if origin.encoding == "utf-8" else BOM.decode(origin.encoding))
    if text.endswith("\0"):
        notes.tolerate("nul")
        text = text.rstrip("\0")
    return text


def is_empty(body: bytes) -> bool:
    """Return whether a payload is empty: that is how a retained message is deleted."""
    return not body or not body.removeprefix(BOM).strip(b"\0 \t\r\n")


def unquoted(text: str) -> str:
    """Return a bare value without spaces, and without the quotes that some senders put around it as JSON does."""
    plain = text.strip(SPACES)
    if plain[:1] == plain[-1:] == '"':
        try:
            value = orjson.loads(plain)
        except orjson.JSONDecodeError:
            return plain
        return value if isinstance(value, str) else plain
    return plain


def _named(body: bytes, error: UnicodeDecodeError) -> str:
    if body.startswith(_UTF_16):
        return "begins as UTF-16 does; the hub reads UTF-8"
    place = f"byte 0x{body[error.start]:02x} at {error.start} is not UTF-8"
    if _CONTROL.search(body):
        return place
    return f'{place}; it looks like Latin-1, which a route with encoding = "latin-1" reads'
