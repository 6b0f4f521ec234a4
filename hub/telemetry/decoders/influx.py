"""InfluxDB's line protocol, as Telegraf sends it over MQTT.

    weather,host=roof,room=a temperature=21.5,ok=t 1465839830100400200
        -> device roof, metrics weather.temperature,room=a and weather.ok,room=a

Not here: the text of a line (influx_lines). Rules:
- device = the tag `device_id`, else `host`, else `device`, else the topic's. `host` before `device`: where both stand the
  line is Telegraf's, and `device` a disk. Whichever is taken, the others stay in the metric, so no series are mixed.
- metric = measurement `.` field, and the other tags behind it, sorted by name: `,tag=value`.
- time by magnitude, as everywhere (clock): nanoseconds are cut to microseconds.
- a bad line costs that line alone, and as many of the values that one payload may hold as one.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from hub.telemetry import clock
from hub.telemetry.decoders import influx_lines
from hub.telemetry.decoders.influx_lines import Line
from hub.telemetry.decoders.row import Guess, Peek, Row
from hub.telemetry.decoders.text import text_of
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from hub.telemetry.scalars import as_stored
from hub.telemetry.validation import MAX_ITEMS, path_fault
from storage.reading import Reading

_DEVICE_TAGS: Final = ("device_id", "host", "device")
_LINES_TO_TELL: Final = 100  # bad lines in front before a text counts as no line protocol
_NOTHING: Final = re.compile(r"(?:#[^\n]*+(?:\n|\Z)|[ \t\r]*+\n|[ \t\r]++\Z)++")  # comments and empty lines


def decode(body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Decode one payload; see the head of this file and `Decoder`."""
    readings = _readings(_lines(text_of(body, origin, notes)), origin, received_us, notes)
    if not readings and not notes.dirty:
        notes.skip("empty")
    return readings


def _guess(peek: Peek, origin: Origin, received_us: int, notes: Notes) -> list[Reading] | None:
    """Read a text of lines of which one at least is a point with a time, as Telegraf writes them; None for anything else."""
    if peek.text is None:
        return None
    lines: list[tuple[int, Line | PayloadError]] = []
    timed = False
    for number, line in _lines(peek.text):
        if isinstance(line, Line):
            timed = timed or line.time is not None
        elif not timed and len(lines) >= _LINES_TO_TELL:
            return None
        lines.append((number, line))
    return _readings(lines, origin, received_us, notes) if timed else None


def _readings(
    lines: Iterable[tuple[int, Line | PayloadError]], origin: Origin, received_us: int, notes: Notes
) -> list[Reading]:
    readings: list[Reading] = []
    for number, line in lines:
        if isinstance(line, PayloadError):
            notes.fault("bad_line", f"line {number}: {line.detail}")
        else:
            _read(line, number, origin, received_us, notes, readings)
    return readings


def _lines(text: str) -> Iterator[tuple[int, Line | PayloadError]]:
    """Yield the number and the content of each line that is not empty and no comment; raise `too_many_items`."""
    position, number, items = 0, 1, 0
    while True:
        if nothing := _NOTHING.match(text, position):
            position = nothing.end()
            number += text.count("\n", nothing.start(), position)
        if position == len(text):
            return
        line: Line | PayloadError
        try:
            line = influx_lines.read(text, position)
            items += len(line.fields)
            end = line.end  # a text may hold line breaks
        except PayloadError as error:
            line = error
            items += MAX_ITEMS + 1 if error.reason == "too_many_items" else 1
            end = text.find("\n", position) + 1 or len(text)
        if items > MAX_ITEMS:
            raise PayloadError("too_many_items", f"more than {MAX_ITEMS} values and bad lines in one payload")
        yield number, line
        number += text.count("\n", position, end)
        position = end


def _read(line: Line, number: int, origin: Origin, received_us: int, notes: Notes, readings: list[Reading]) -> None:
    own = next((tag for tag in _DEVICE_TAGS if tag in line.tags), "")
    device = line.tags.get(own, origin.device)
    if device != origin.device and not origin.gateway:
        detail = f"line {number} names {device[:80]!r}, the topic {origin.device[:80]!r}"
        raise PayloadError("device_mismatch", detail)
    tags = "".join(f",{tag}={line.tags[tag]}" for tag in sorted(line.tags) if tag != own)
    if fault := path_fault(line.measurement, tags):
        notes.fault("bad_metric", f"line {number}: {fault}")
        return
    device_time_us = clock.device_time(line.time, origin, notes, f"line {number}")
    time_us = received_us if device_time_us is None else device_time_us
    before = len(readings)
    measurement = line.measurement if device != origin.device or own else f"{origin.prefix}{line.measurement}"
    for field, value in line.fields.items():
        metric = f"{measurement}.{field}{tags}"
        if isinstance(value, str):
            if not value:
                notes.skip("no_value")
                continue
        elif not isinstance(value, bool):
            value = as_stored(value, notes)  # noqa: PLW2901 - int and float are one kind of reading
        readings.append(Reading(device, metric, time_us, value, ""))
    if device_time_us is None:
        notes.without_time(len(readings) - before)


ROW: Final = Row(
    "influx", lambda: decode, guess=Guess(30, b"", _guess), options=frozenset({"encoding", "metric_level"})
)
