r"""InfluxDB's line protocol: one line of it.

    measurement,tag=v,other=w field=1.0,count=3i,ok=t,text="x" 1465839830100400200

Escapes: `\` before a comma, a space, and in keys and tags `=`; in texts before `"` and `\`; elsewhere it stands for itself.
A text may hold line breaks, so only the reader of a line knows where it ends. Regular expressions without nested
repetition walk each octet once.
"""

import re
from typing import Final, NamedTuple

from hub.telemetry.errors import PayloadError
from hub.telemetry.scalars import number_in

_MEASUREMENT: Final = re.compile(r"(?:[^\\, \t\r\n#]|\\[^\r\n])(?:[^\\, \t\r\n]|\\[^\r\n])*")
_KEY: Final = re.compile(r"(?:[^\\,= \t\r\n]|\\[^\r\n])+")
_TEXT: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_BARE: Final = re.compile(r"[^, \t\r\n]+")
_SPACES: Final = re.compile(r" +")
_TIME: Final = re.compile(r" +(-?[0-9]{1,19})", re.ASCII)
_END: Final = re.compile(r" *(?:\r?\n|\Z)")
_ESCAPED: Final = re.compile(r"\\([, =])")
_ESCAPED_IN_TEXT: Final = re.compile(r'\\(["\\])')
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|[+-]?\.[0-9]+(?:[eE][+-]?[0-9]+)?", re.ASCII)
_INTEGER: Final = re.compile(r"(-?[0-9]+)i|([0-9]+)u", re.ASCII)
_BOOLEANS: Final = {
    **dict.fromkeys(("t", "T", "true", "True", "TRUE"), True),
    **dict.fromkeys(("f", "F", "false", "False", "FALSE"), False),
}
_RANGES: Final = {"i": (-(2**63), 2**63 - 1), "u": (0, 2**64 - 1)}


class Line(NamedTuple):
    """One point."""

    measurement: str
    tags: dict[str, str]
    fields: dict[str, int | float | bool | str]
    time: int | None
    end: int
    """Where the next line begins."""


def read(text: str, start: int) -> Line:
    """Read the line that begins at `start`.

    Raises:
        PayloadError: `bad_line`, `integer_range`, `number_range`.

    """
    measurement = _token(_MEASUREMENT, text, start, "a measurement")
    position = measurement.end()
    tags: dict[str, str] = {}
    while text.startswith(",", position):
        name, position = _name(text, position + 1)
        if not text.startswith("=", position):
            raise _bad(text, position, "`=`")
        value = _token(_KEY, text, position + 1, "a tag's value")
        _once(tags, name)
        tags[name] = _ESCAPED.sub(r"\1", value[0])
        position = value.end()
    position = _token(_SPACES, text, position, "a space and fields").end()
    fields: dict[str, int | float | bool | str] = {}
    while True:
        name, position = _name(text, position)
        if not text.startswith("=", position):
            raise _bad(text, position, "`=`")
        _once(fields, name)
        fields[name], position = _value(text, position + 1)
        if not text.startswith(",", position):
            break
        position += 1
    time = _TIME.match(text, position)
    end = _token(_END, text, time.end() if time else position, "a time or the line's end").end()
    return Line(_ESCAPED.sub(r"\1", measurement[0]), tags, fields, int(time[1]) if time else None, end)


def _value(text: str, position: int) -> tuple[int | float | bool | str, int]:
    if text.startswith('"', position):
        quoted = _token(_TEXT, text, position, "the text's end")
        return _ESCAPED_IN_TEXT.sub(r"\1", quoted[1]), quoted.end()
    bare = _token(_BARE, text, position, "a value")
    written = bare[0]
    if written in _BOOLEANS:
        return _BOOLEANS[written], bare.end()
    if _INTEGER.fullmatch(written):
        low, high = _RANGES[written[-1]]
        integer = number_in(written[:-1])
        if not isinstance(integer, int) or not low <= integer <= high:
            raise PayloadError("integer_range", f"{written[:40]} does not fit into 64 bit")
        return integer, bare.end()
    if not _NUMBER.fullmatch(written):
        raise _bad(text, position, "a value")
    number = float(written)
    if number - number != 0:  # infinite
        raise PayloadError("number_range", f"{written[:40]} is beyond a 64-bit float")
    return number, bare.end()


def _name(text: str, position: int) -> tuple[str, int]:
    key = _token(_KEY, text, position, "a key")
    return _ESCAPED.sub(r"\1", key[0]), key.end()


def _once(found: dict[str, str] | dict[str, int | float | bool | str], name: str) -> None:
    if name in found:
        raise PayloadError("duplicate_key", f"{name[:80]!r} stands twice")


def _token(pattern: re.Pattern[str], text: str, position: int, what: str) -> re.Match[str]:
    match = pattern.match(text, position)
    if match is None:
        raise _bad(text, position, what)
    return match


def _bad(text: str, position: int, what: str) -> PayloadError:
    return PayloadError("bad_line", f"expected {what} at {text[position : position + 20]!r}")
