"""A schedule from a time-stamped CSV file: recorded readings sent again under one device and metric.

The file has a header with the columns `timestamp` and `value`; others are ignored. A timestamp is ISO 8601 (without
zone: UTC) or a number since the epoch, in s, ms, us or ns by its magnitude. The whole file is read before the first
message is sent, so that a bad line 20,000 stops the program instead of a half-sent file.

Rule: each row is a reading of its own. A row whose time an earlier row already has (a clock set back, as in NAB's
machine_temperature series) would have the same identity and vanish in storage; it is sent 1 ms later, counted in
`Recording.moved`. The same file always gives the same times.
"""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from device_sim.errors import BadArgumentError
from device_sim.message import US_PER_MS, Message
from device_sim.payloads.json_flat import flat_json
from device_sim.schedule.fleet import DEFAULT_TOPIC, check_topic
from device_sim.sensors.replay import parse_time_us


@dataclass(frozen=True, slots=True)
class Recording:
    """The readings of one file in its order: (time in us since the epoch, value)."""

    rows: tuple[tuple[int, float], ...]
    moved: int
    """Rows sent later than their stamp, because an earlier row has it."""

    def schedule(self, device: str, metric: str, speed: float | None, topic: str = DEFAULT_TOPIC) -> Iterator[Message]:
        """Yield one message a row; `speed` 1 keeps the file's pace, 60 makes a minute a second, None does not wait."""
        check_topic(topic)
        full_topic = topic.replace("{device}", device)
        metrics, due_s = (metric,), 0.0
        start_us = self.rows[0][0] if self.rows else 0
        for number, (time_us, value) in enumerate(self.rows):
            if speed is not None:
                # max: a clock that went back does not make the schedule go back.
                due_s = max(due_s, (time_us - start_us) / 1_000_000 / speed)
            payload = flat_json(time_us, {metric: value})
            yield Message(number, 0, device, metrics, time_us, due_s, full_topic, payload, (value,))


def read_recording(path: Path) -> Recording:
    """Read a file, or raise BadArgumentError that names the file, the line and the column."""
    rows: list[tuple[int, float]] = []
    seen: set[int] = set()
    moved = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.DictReader(file)
            for column in ("timestamp", "value"):
                if column not in (lines.fieldnames or ()):
                    raise BadArgumentError("FILE", f"{path} has no column {column!r} in its first line")
            for line in lines:
                where = f"{path}, line {lines.line_num}"
                time_us, value = parse_time_us(line["timestamp"], where), _value(line["value"], where)
                moved += time_us in seen
                while time_us in seen:
                    time_us += US_PER_MS
                seen.add(time_us)
                rows.append((time_us, value))
    except OSError as error:
        raise BadArgumentError("FILE", f"cannot read {path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadArgumentError("FILE", f"{path} is not a CSV file in UTF-8: {error}") from error
    return Recording(tuple(rows), moved)


def parse_speed(text: str) -> float | None:
    """Return None for `max`, else the factor."""
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not 0 < speed < math.inf:
        raise BadArgumentError("--speed", f"{text!r} is neither max nor a factor above 0 such as 1 or 60")
    return speed


def _value(text: str | None, where: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadArgumentError("FILE", f"{where}: value {text!r} is not a finite number")
    return value
