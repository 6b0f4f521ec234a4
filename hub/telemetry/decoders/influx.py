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
from collections.abc import Iterator
from typing import Final

from hub.telemetry import clock
from hub.telemetry.decoders import influx_lines, strict_json
from hub.telemetry.decoders.influx_lines import Line
from hub.telemetry.errors import PayloadError
from hub.telemetry.notes import Notes
from hub.telemetry.origin import Origin
from hub.telemetry.scalars import as_stored
from hub.telemetry.validation import MAX_ITEMS, path_fault, text_fault
from storage.reading import Reading

_DEVICE_TAGS: Final = ("device_id", "host", "device")
_NOTHING: Final = re.compile(r"(?:#[^\n]*+(?:\n|\Z)|[ \t\r]*+\n|[ \t\r]++\Z)++")  # comments and empty lines


def decode(body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Decode one payload; see the head of this file and `Decoder`."""
    try:
        text = body.removeprefix(strict_json.BOM).decode()
    except UnicodeDecodeError as error:
        raise PayloadError("bad_text", str(error)) from None
    readings: list[Reading] = []
    for number, line in _lines(text):
        if isinstance(line, PayloadError):
            notes.fault("bad_line", f"line {number}: {line.detail}")
        else:
            _read(line, number, origin, received_us, notes, readings)
    if not readings and not notes.dirty:
        notes.skip("empty")
    return readings


def decode_timed(text: str, origin: Origin, received_us: int, notes: Notes) -> list[Reading] | None:
    """Decode a text of points that all carry a time, as Telegraf writes them; None for one that is anything else."""
    points: list[tuple[int, Line]] = []
    for number, line in _lines(text):
        if isinstance(line, PayloadError) or line.time is None:
            return None
        points.append((number, line))
    readings: list[Reading] = []
    for number, line in points:
        _read(line, number, origin, received_us, notes, readings)
    return readings if points else None


def _lines(text: str) -> Iterator[tuple[int, Line | PayloadError]]:
    """Give the number and the content of each line that is not empty and no comment; raise `too_many_items`."""
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
    device_time_us = None if line.time is None else clock.from_number(line.time)
    time_us = received_us if device_time_us is None else device_time_us
    before = len(readings)
    for field, value in line.fields.items():
        metric = f"{line.measurement}.{field}{tags}"
        if isinstance(value, str):
            if not value:
                notes.skip("no_value")
                continue
            if fault := text_fault(value):
                notes.fault("bad_text", f"line {number}: {metric!r} {fault}")
                continue
        elif not isinstance(value, bool):
            value = as_stored(value, notes)  # noqa: PLW2901 - int and float are one kind of reading
        readings.append(Reading(device, metric, time_us, value, ""))
    if device_time_us is None:
        notes.without_time(len(readings) - before)
