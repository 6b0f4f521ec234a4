"""Which rows answer a question for buckets: hour rollups, minute rollups or raw readings, each instant by exactly one.

Pure. Rules:
- A rollup row may stand in for its readings when its whole minute (hour) lies in the range, before the watermark, and
  not in a dirty hour. Everything else comes from raw readings, which are always right.
- So a plan stays right when it is older than the data it is run on: a watermark only moves forward, and a reading that
  came after the question was asked need not be in its answer.
- Where retention has dropped the raw readings, the rollup is all there is: there an edge of the range is widened to the
  whole minute (hour), and marks say nothing.
- A bucket of a time zone may begin within an hour, long ago within a minute (`cuts`): no rollup stands across that,
  unless it is all there is; then it counts in the bucket in which it begins.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple, TypeAlias

SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60 * SECOND_US
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US
ORIGIN_US: Final = -2_208_988_800_000_000
"""1900-01-01 UTC, a Monday: buckets of whole weeks begin on Mondays, all others at whole units."""

NICE_WIDTHS_US: Final = (
    *(1_000 * milliseconds for milliseconds in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(SECOND_US * seconds for seconds in (1, 2, 5, 10, 15, 30)),
    *(MINUTE_US * minutes for minutes in (1, 2, 5, 10, 15, 30)),
    *(HOUR_US * hours for hours in (1, 2, 3, 4, 6, 8, 12)),
    *(DAY_US * days for days in (1, 2, 7, 14, 28)),
)

Span: TypeAlias = tuple[int, int]
"""[start_us, end_us)"""


class Source(Enum):
    """Where rows come from."""

    RAW = "readings"
    MINUTE = "rollup_minute"
    HOUR = "rollup_hour"


class Piece(NamedTuple):
    """A span of the range and the table that answers for it."""

    source: Source
    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far rollups and retention are, in microseconds since 1970."""

    minutes_to: int
    hours_to: int
    raw_from: int = 0
    minutes_from: int = 0


def bucket_count(from_us: int, to_us: int, width_us: int) -> int:
    """Return how many buckets of the width have an instant of [from_us, to_us)."""
    return (to_us - 1 - ORIGIN_US) // width_us - (from_us - ORIGIN_US) // width_us + 1


def choose_width(from_us: int, to_us: int, max_points: int) -> int:
    """Return the smallest width that people count in with at most `max_points` buckets over the range."""
    for width_us in NICE_WIDTHS_US:
        if bucket_count(from_us, to_us, width_us) <= max_points:
            return width_us
    month = NICE_WIDTHS_US[-1]
    months = 2
    while bucket_count(from_us, to_us, months * month) > max_points:
        months += 1
    return months * month


def plan(
    from_us: int,
    to_us: int,
    width_us: int,
    progress: Progress,
    dirty_hours: Iterable[int],
    cuts: Sequence[int] = (),
) -> list[Piece]:
    """Return the pieces, disjoint and in order of time; `dirty_hours` are the hours' begins, `cuts` those of buckets."""
    if width_us % MINUTE_US:
        return [Piece(Source.RAW, from_us, to_us)]
    start = _down(from_us, MINUTE_US) if from_us < progress.raw_from else _up(from_us, MINUTE_US)
    end = _up(to_us, MINUTE_US) if to_us <= progress.raw_from else _down(to_us, MINUTE_US)
    end = min(end, progress.minutes_to)
    dirty = sorted((hour, hour + HOUR_US) for hour in set(dirty_hours) if hour >= progress.raw_from)
    split = [_unit(cut, MINUTE_US) for cut in cuts if cut % MINUTE_US and cut >= progress.raw_from]
    rolled = _subtract((start, end), sorted({*dirty, *(span for span in split if not _within(span, dirty))}))
    cut_hours = sorted({_unit(cut, HOUR_US) for cut in cuts if cut % HOUR_US and cut >= progress.minutes_from})
    pieces = [Piece(Source.RAW, *span) for span in _subtract((from_us, to_us), rolled)]
    for span in rolled:
        pieces += _hours(span, progress, cut_hours) if width_us % HOUR_US == 0 else [Piece(Source.MINUTE, *span)]
    return sorted(pieces, key=lambda piece: piece.start_us)


def _hours(span: Span, progress: Progress, cut_hours: Sequence[Span]) -> list[Piece]:
    """Split a span of whole minutes into the hours that hour rollups answer for, and the minutes around them."""
    start, end = span
    first = _down(start, HOUR_US) if start < progress.minutes_from else _up(start, HOUR_US)
    last = _up(end, HOUR_US) if end <= progress.minutes_from else _down(end, HOUR_US)
    last = min(last, progress.hours_to)
    if first >= last:
        return [Piece(Source.MINUTE, start, end)]
    whole = _subtract((first, last), cut_hours)
    pieces = [Piece(Source.HOUR, *span) for span in whole]
    return pieces + [Piece(Source.MINUTE, *span) for span in _subtract((start, end), whole)]


def _subtract(span: Span, holes: Sequence[Span]) -> list[Span]:
    """Return what is left of the span; `holes` are sorted and disjoint."""
    start, end = span
    left: list[Span] = []
    for hole_start, hole_end in holes:
        if hole_end <= start:
            continue
        if hole_start >= end:
            break
        if start < hole_start:
            left.append((start, hole_start))
        start = hole_end
    if start < end:
        left.append((start, end))
    return left


def _unit(time_us: int, unit_us: int) -> Span:
    return _down(time_us, unit_us), _down(time_us, unit_us) + unit_us


def _within(span: Span, others: Iterable[Span]) -> bool:
    return any(start <= span[0] and span[1] <= end for start, end in others)


def _down(time_us: int, unit_us: int) -> int:
    return time_us - time_us % unit_us


def _up(time_us: int, unit_us: int) -> int:
    return time_us + -time_us % unit_us
