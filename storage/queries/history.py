"""One series' readings over a range of time, in pages. A page is columns, not objects: 8,640 points are one copy.

Keyset, not offset: the next page begins behind the last time of this one, whatever arrived meanwhile. Between pages no
connection, cursor or snapshot is held.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from storage.copy_out import copy_rows, row_type, time_literal, times_us
from storage.engine import RawConnection
from storage.partitions import instant, microseconds
from storage.queries.lookup import SeriesInfo
from storage.reading import Reading

POINT: Final = row_type(("time", "i8"), ("value", "f8"))


@dataclass(frozen=True, slots=True)
class Page:
    """Readings of one series, sorted by time; `next_us` is where to go on, None at the end."""

    series: SeriesInfo
    times_us: Sequence[int]
    values: Sequence[float | str | bool]
    next_us: int | None

    def readings(self) -> list[Reading]:
        """Return the page as readings."""
        device, metric, _, unit, _ = self.series
        pairs = zip(self.times_us, self.values, strict=True)
        return [Reading(device, metric, time_us, value, unit) for time_us, value in pairs]


async def read_page(
    connection: RawConnection, series: SeriesInfo, from_us: int, to_us: int, rows: int, *, newest_first: bool
) -> Page:
    """Return up to `rows` readings of [from_us, to_us), from its begin, or from its end backwards.

    The next page is of [next_us, to_us), or of [from_us, next_us) when the newest come first.
    """
    order = "DESC" if newest_first else "ASC"
    numbers = await copy_rows(
        connection,
        f"SELECT ts, value FROM readings WHERE series_id = {series.id}"  # noqa: S608 - numbers and times only
        f" AND ts >= {time_literal(from_us)} AND ts < {time_literal(to_us)} ORDER BY ts {order} LIMIT {rows}",
        POINT,
    )
    times: list[int] = times_us(numbers["time"]).tolist()
    values: list[float | str | bool] = numbers["value"].tolist()
    if series.kind == "bool":
        values = [value == 1.0 if value in {0.0, 1.0} else value for value in values]
    texts = await connection.fetch(_TEXTS[order], series.id, instant(from_us), instant(to_us), rows)
    if texts:
        both = heapq.merge(
            zip(times, values, strict=True),
            ((microseconds(row[0]), row[1]) for row in texts),
            key=itemgetter(0),
            reverse=newest_first,
        )
        pairs = [pair for pair, _ in zip(both, range(rows), strict=False)]
        times, values = [time_us for time_us, _ in pairs], [value for _, value in pairs]
    next_us = None
    if len(times) >= rows:
        next_us = times[-1] if newest_first else times[-1] + 1
    return Page(series, times, values, next_us)


_TEXTS: Final = {
    order: f"SELECT ts, value FROM readings_text WHERE series_id = $1 AND ts >= $2 AND ts < $3 ORDER BY ts {order} LIMIT $4"  # noqa: S608
    for order in ("ASC", "DESC")
}
