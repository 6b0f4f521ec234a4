r"""InfluxDB's line protocol: one line of it.

    measurement,tag=v,other=w field=1.0,count=3i,ok=t,text="x" 1465839830100400200

Escapes: `\` before a comma, a space, and in keys and tags `=`; in texts before `"` and `\`; elsewhere it stands for itself.
A text may hold line breaks, so only the reader of a line knows where it ends. The expressions never go back over what
they took (`*+`), so each byte is walked once; a line that does not match is looked at again for what is missing.
"""

import re
from typing import Final, NamedTuple, TypeAlias, TypeVar

from hub.telemetry.notes import PayloadError
from hub.telemetry.validation import MAX_ITEMS, MAX_NAME_CHARS, MAX_TEXT_CHARS

Value: TypeAlias = int | float | bool | str
_V = TypeVar("_V")

_MAX_INTEGER_CHARS: Final = 40  # before int(), which takes quadratic time; zeros in front are allowed
MAX_TAGS: Final = MAX_NAME_CHARS // len(",a=b")  # more make a metric's name too long, whatever they say


def _run(ends: str) -> str:
    r"""Return the expression of one or more characters up to one of `ends` that is not escaped."""
    plain, escaped = rf"[^\\{ends}]", r"\\[^\r\n]"
    return rf"(?:{plain}|{escaped}){plain}*+(?:{escaped}{plain}*+)*+"


_KEY: Final = _run(r",= \t\r\n")
_MEASUREMENT: Final = re.compile("(?!#)" + _run(r", \t\r\n"))
_NAME: Final = re.compile(_KEY)
_TAG: Final = re.compile(rf",({_KEY})=({_KEY})")
_FIELD: Final = re.compile(rf"""({_KEY})=(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"|([^", \t\r\n][^, \t\r\n]*+))""", re.DOTALL)
_SPACES: Final = re.compile(r" ++")
_TIME: Final = re.compile(r" ++(-?[0-9]{1,19})", re.ASCII)
_END: Final = re.compile(r" *+(?:\r?\n|\Z)")
_ESCAPED: Final = re.compile(r"\\([, =])")
_ESCAPED_IN_TEXT: Final = re.compile(r'\\(["\\])')
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?", re.ASCII)
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
    fields: dict[str, Value]
    time: int | None
    end: int
    """Where the next line begins."""


def read(text: str, start: int) -> Line:
    """Read the line that begins at `start`.

    Raises:
        PayloadError: `bad_line`, `bad_metric`, `duplicate_key`, `integer_range`, `number_range`, `too_many_items`.

    """
    measurement = _token(_MEASUREMENT, text, start, "a measurement")
    position = measurement.end()
    tags: dict[str, str] = {}
    while tag := _TAG.match(text, position):
        position = tag.end()
        _add(tags, tag[1], _plain(tag[2]))
        if len(tags) > MAX_TAGS:
            raise PayloadError("bad_metric", f"more than {MAX_TAGS} tags")
    if text.startswith(",", position):
        raise _incomplete(text, position + 1, "a tag's value")
    position = _token(_SPACES, text, position, "a space and fields").end()
    fields: dict[str, Value] = {}
    while True:
        field = _FIELD.match(text, position)
        if field is None:
            raise _incomplete(text, position, "a value")
        position = field.end()
        _add(fields, field[1], _value(field))
        if len(fields) > MAX_ITEMS:
            raise PayloadError("too_many_items", f"more than {MAX_ITEMS} fields in one line")
        if not text.startswith(",", position):
            break
        position += 1
    time = _TIME.match(text, position)
    end = _token(_END, text, time.end() if time else position, "a time or the line's end").end()
    return Line(_plain(measurement[0]), tags, fields, int(time[1]) if time else None, end)


def _value(field: re.Match[str]) -> Value:
    quoted, bare = field[2], field[3]
    if bare is None:
        # One that is too long even without its escapes stays as it is: it will be refused for that.
        escaped = "\\" in quoted and len(quoted) <= 2 * MAX_TEXT_CHARS
        return _ESCAPED_IN_TEXT.sub(r"\1", quoted) if escaped else quoted
    if _NUMBER.fullmatch(bare):
        number = float(bare)
        if number - number != 0:  # infinite
            raise PayloadError("number_range", f"{bare[:40]} is beyond a 64-bit float")
        return number
    if bare in _BOOLEANS:
        return _BOOLEANS[bare]
    if not _INTEGER.fullmatch(bare):
        raise _bad(field.string, field.start(3), "a value")
    low, high = _RANGES[bare[-1]]
    integer = int(bare[:-1]) if len(bare) <= _MAX_INTEGER_CHARS else high + 1
    if not low <= integer <= high:
        raise PayloadError("integer_range", f"{bare[:40]} does not fit into 64 bit, as line protocol asks for")
    return integer


def _plain(text: str) -> str:
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text


def _add(found: dict[str, _V], name: str, value: _V) -> None:
    plain = _plain(name)
    if plain in found:
        raise PayloadError("duplicate_key", f"{plain[:80]!r} stands twice")
    found[plain] = value


def _incomplete(text: str, position: int, value: str) -> PayloadError:
    """Return what is missing of `name=value`."""
    name = _NAME.match(text, position)
    if name is None:
        return _bad(text, position, "a key")
    if not text.startswith("=", name.end()):
        return _bad(text, name.end(), "`=`")
    return _bad(text, name.end() + 1, "the text's end" if text.startswith('"', name.end() + 1) else value)


def _token(pattern: re.Pattern[str], text: str, position: int, what: str) -> re.Match[str]:
    match = pattern.match(text, position)
    if match is None:
        raise _bad(text, position, what)
    return match


def _bad(text: str, position: int, what: str) -> PayloadError:
    return PayloadError("bad_line", f"expected {what} at {text[position : position + 20]!r}")
