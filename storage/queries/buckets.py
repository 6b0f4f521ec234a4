"""Readings of many series in buckets of time: count, sum, min, max, first and last of each.

Two statements: one reads how far the rollups are, then one COPY of a UNION ALL with a branch for each piece of the plan,
so that Postgres prunes leaves while planning. A branch aggregates on the server, to the question's width, what may be
many rows: raw readings, and long pieces of rollups. Short pieces of rollups come as they are, which is cheaper than
grouping them there. Rows of one bucket are merged here. All bounds are times, so a reading is in one piece.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from storage.copy_out import Rows, copy_rows, ids_literal, row_type, time_literal, times_us
from storage.engine import RawConnection
from storage.partitions import instant, microseconds
from storage.queries.bucket_plan import HOUR_US, MINUTE_US, Piece, Progress, Source, plan
from storage.queries.grid import Grid
from storage.queries.series import SeriesInfo

PART: Final = row_type(
    ("series", "i4"),
    ("bucket", "i8"),
    ("at", "i8"),
    ("count", "i8"),
    ("sum", "f8"),
    ("min", "f8"),
    ("max", "f8"),
    ("first", "f8"),
    ("last", "f8"),
)
SOURCE_UNIT_US: Final = {Source.MINUTE: MINUTE_US, Source.HOUR: HOUR_US}
PLAIN_ROWS: Final = 10_000
"""Rollup rows of a piece up to which grouping them on the server is not worth it: 1 MB."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """The readings of one series from `time_us` to the begin of the next bucket."""

    time_us: int
    count: int
    min: float
    max: float
    avg: float
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class BucketColumns:
    """Buckets as columns, sorted by time; buckets without readings are left out."""

    times_us: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    sums: npt.NDArray[np.float64]
    mins: npt.NDArray[np.float64]
    maxs: npt.NDArray[np.float64]
    firsts: npt.NDArray[np.float64]
    lasts: npt.NDArray[np.float64]

    @property
    def avgs(self) -> npt.NDArray[np.float64]:
        return self.sums / self.counts

    def part(self, start: int, end: int) -> "BucketColumns":
        """Return the buckets number `start` to `end`, without copying them."""
        at = slice(start, end)
        return BucketColumns(
            self.times_us[at],
            self.counts[at],
            self.sums[at],
            self.mins[at],
            self.maxs[at],
            self.firsts[at],
            self.lasts[at],
        )


@dataclass(frozen=True, slots=True)
class SeriesBuckets:
    """One series' answer."""

    series: SeriesInfo
    grid: Grid
    columns: BucketColumns

    def buckets(self) -> list[Bucket]:
        """Return the buckets as objects, for those who want few of them."""
        table = self.columns
        columns = (table.times_us, table.counts, table.mins, table.maxs, table.avgs, table.firsts, table.lasts)
        return [Bucket(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


async def read_buckets(
    connection: RawConnection, series: Sequence[SeriesInfo], from_us: int, to_us: int, grid: Grid
) -> list[SeriesBuckets]:
    """Return the buckets of each series, in the order of `series`; the caller bounds their number."""
    ids = [one.id for one in series]
    progress, dirty_hours = await read_progress(connection, ids, from_us, to_us)
    pieces = plan(from_us, to_us, grid.width_us, progress, dirty_hours, grid.cuts(from_us, to_us))
    query = " UNION ALL ".join(_branch(piece, ids, grid) for piece in pieces)
    found, columns = _merge(await copy_rows(connection, query, PART), grid)
    starts, ends = np.searchsorted(found, ids), np.searchsorted(found, ids, "right")
    return [
        SeriesBuckets(one, grid, columns.part(int(start), int(end)))
        for one, start, end in zip(series, starts, ends, strict=True)
    ]


async def read_progress(
    connection: RawConnection, series_ids: Sequence[int], from_us: int, to_us: int
) -> tuple[Progress, list[int]]:
    """Return the progress, and the begins of the hours in the range that are dirty for one of the series."""
    row = await connection.fetchrow(_PROGRESS, series_ids, instant(from_us - from_us % HOUR_US), instant(to_us))
    assert row is not None  # noqa: S101 - a SELECT without FROM gives one row
    minutes_to, hours_to, raw_from, minutes_from, dirty = row
    progress = Progress(
        microseconds(minutes_to) if minutes_to else 0,
        microseconds(hours_to) if hours_to else 0,
        microseconds(raw_from) if raw_from else 0,
        microseconds(minutes_from) if minutes_from else 0,
    )
    return progress, [microseconds(hour) for hour in dirty]


_PROGRESS: Final = """
    SELECT (SELECT rolled_to FROM rollup_state WHERE name = 'minute'),
           (SELECT rolled_to FROM rollup_state WHERE name = 'hour'),
           (SELECT dropped_to FROM retention_state WHERE name = 'readings'),
           (SELECT dropped_to FROM retention_state WHERE name = 'rollup_minute'),
           ARRAY(SELECT DISTINCT hour FROM rollup_dirty WHERE series_id = ANY($1::int4[]) AND hour >= $2 AND hour < $3)
"""


def _branch(piece: Piece, ids: Sequence[int], grid: Grid) -> str:
    """Return the SELECT of a piece; made of numbers and times only."""
    where = (
        f" FROM {piece.source.value} WHERE series_id = ANY({ids_literal(ids)})"
        f" AND ts >= {time_literal(piece.start_us)} AND ts < {time_literal(piece.end_us)}"
    )
    unit_us = SOURCE_UNIT_US.get(piece.source)
    if unit_us is not None and (
        unit_us == grid.width_us or len(ids) * (piece.end_us - piece.start_us) <= PLAIN_ROWS * unit_us
    ):
        return f"SELECT series_id, ts, ts, count::int8, sum, min, max, first, last{where}"
    bucket = grid.sql(piece.start_us, piece.end_us)
    if piece.source is Source.RAW:
        # A sum of finite numbers must not overflow, which would be an error: see sql/roll_minutes.sql.
        count, total = (
            "count(*)",
            "CASE WHEN value BETWEEN -1e290 AND 1e290 THEN value ELSE value * 'Infinity'::float8 END",
        )
        low = high = first = last = "value"
    else:
        count, total, low, high, first, last = "sum(count)::int8", "sum", "min", "max", "first", "last"
    return (
        f"SELECT series_id, {bucket} AS bucket, min(ts), {count}, sum({total}), min({low}), max({high}),"
        f" (array_agg({first} ORDER BY ts))[1], (array_agg({last} ORDER BY ts))[count(*)]{where} GROUP BY series_id, bucket"
    )


def _merge(parts: Rows, grid: Grid) -> tuple[npt.NDArray[np.int32], BucketColumns]:
    """Merge the rows of each (series, bucket); return the series of each bucket, and the buckets, sorted."""
    parts = parts[np.lexsort((parts["at"], parts["series"]))]
    series, count = parts["series"].astype(np.int32), parts["count"].astype(np.int64)
    bucket = grid.floor(times_us(parts["bucket"]))
    numbers = [parts[name].astype(np.float64) for name in ("sum", "min", "max", "first", "last")]
    begins = np.ones(len(parts), np.bool_)
    np.logical_or(series[1:] != series[:-1], bucket[1:] != bucket[:-1], out=begins[1:])
    starts = np.flatnonzero(begins)
    if len(starts) == len(parts):
        return series, BucketColumns(bucket, count, *numbers)
    total, low, high, first, last = numbers
    ends = np.append(starts[1:], len(parts)) - 1
    with np.errstate(invalid="ignore", over="ignore"):  # infinities of both signs sum to NaN, as in Postgres
        return series[starts], BucketColumns(
            bucket[starts],
            np.add.reduceat(count, starts),
            np.add.reduceat(total, starts),
            np.fmin.reduceat(low, starts),  # Postgres orders NaN above all numbers: fmin passes it by, maximum keeps it
            np.maximum.reduceat(high, starts),
            first[starts],
            last[ends],
        )
