"""The readings of one (device, metric) over a range of time, in pages. A page is columns, not objects: 8,640 points are
one copy. Each reading has the unit that it came with.

Keyset, not offset: the next page begins behind the last time of this one, whatever arrived meanwhile. Between pages no
connection, cursor or snapshot is held.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from storage.copy_out import copy_rows, row_type, time_literal, times_us
from storage.engine import RawConnection
from storage.partitions import instant, microseconds
from storage.queries.series import SeriesInfo
from storage.reading import Reading

POINT: Final = row_type(("time", "i8"), ("value", "f8"), ("series", "i4"))


@dataclass(frozen=True, slots=True)
class Page:
    """Readings sorted by time; `next_us` is where to go on, None at the end."""

    device: str
    metric: str
    times_us: Sequence[int]
    values: Sequence[float | str | bool]
    units: Sequence[str]
    next_us: int | None

    def readings(self) -> list[Reading]:
        """Return the page as readings."""
        columns = zip(self.times_us, self.values, self.units, strict=True)
        return [Reading(self.device, self.metric, *column) for column in columns]


async def read_page(
    connection: RawConnection, series: Sequence[SeriesInfo], from_us: int, to_us: int, rows: int, *, newest_first: bool
) -> Page:
    """Return `rows` readings of [from_us, to_us), from its begin, or from its end backwards; `series` are of one name.

    A page ends between two times, never within one: several units, or a number and a text, may have a reading each at
    the same time, and come together. The next page is of [next_us, to_us), or of [from_us, next_us) when the newest come
    first.
    """
    order = "DESC" if newest_first else "ASC"
    most = rows + 2 * len(series)  # what may share the last time is among them
    branch = (
        "(SELECT ts, value, {id}::int4 FROM readings WHERE series_id = {id}"  # noqa: S608 - numbers and times only
        f" AND ts >= {time_literal(from_us)} AND ts < {time_literal(to_us)} ORDER BY ts {order} LIMIT {most})"
    )
    query = " UNION ALL ".join(branch.format(id=one.id) for one in series)
    if len(series) > 1:
        query += f" ORDER BY ts {order} LIMIT {most}"
    numbers = await copy_rows(connection, query, POINT)
    times: list[int] = times_us(numbers["time"]).tolist()
    values: list[float | str | bool] = numbers["value"].tolist()
    ids: list[int] = numbers["series"].tolist()
    bools = {one.id for one in series if one.kind == "bool"}
    if bools:
        values = [
            value == 1.0 if number in bools and value in {0.0, 1.0} else value
            for value, number in zip(values, ids, strict=True)
        ]
    texts = await connection.fetch(_TEXTS[order], [one.id for one in series], instant(from_us), instant(to_us), most)
    if texts:
        both = [
            *zip(times, values, ids, strict=True),
            *((microseconds(ts), text, number) for ts, text, number in texts),
        ]
        both.sort(key=itemgetter(0), reverse=newest_first)
        times, values, ids = (list(column) for column in zip(*both, strict=True))
    end = min(rows, len(times))
    while 0 < end < len(times) and times[end] == times[end - 1]:
        end += 1
    next_us = None
    if end < len(times):
        next_us = times[end - 1] if newest_first else times[end - 1] + 1
    units = {one.id: one.unit for one in series}
    return Page(
        series[0].device, series[0].metric, times[:end], values[:end], [units[one] for one in ids[:end]], next_us
    )


_TEXTS: Final = {
    order: f"""
    SELECT ts, value, wanted.id
      FROM unnest($1::int4[]) AS wanted(id)
     CROSS JOIN LATERAL (SELECT ts, value FROM readings_text
                          WHERE series_id = wanted.id AND ts >= $2 AND ts < $3
                          ORDER BY ts {order} LIMIT $4) AS found
"""  # noqa: S608
    for order in ("ASC", "DESC")
}
