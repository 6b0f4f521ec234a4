"""The newest reading of each of many series, by device time.

One index descent a series: a lateral LIMIT 1 that walks the leaves from the newest backwards. Planning and opening a
scan on each of a year's leaves would cost more than the descents, so the question is asked for the last days first and
only for the series not found there again over everything. The bounds are written into the statement, rounded: the
planner drops the leaves outside, those made ahead of time too, and the prepared statement stays good for an hour.

A reading more than one to two hours before its time is not asked for: the pipeline quarantines such clocks (5 minutes).
"""

from collections.abc import Sequence
from typing import Final

from storage.copy_out import time_literal
from storage.engine import RawConnection
from storage.partitions import OLDEST_US, microseconds
from storage.queries.series import SeriesInfo
from storage.reading import Reading

DAY_US: Final = 86_400_000_000
AHEAD_US: Final = 3_600_000_000
RECENT_DAYS: Final = (2, 32)


async def latest_of(connection: RawConnection, series: Sequence[SeriesInfo], now_us: int) -> list[Reading]:
    """Return the newest reading of each series; those without any are left out."""
    newest: list[Reading] = []
    until = time_literal(now_us - now_us % AHEAD_US + 2 * AHEAD_US)
    wanted = series
    for since_us in (*(now_us - now_us % DAY_US - days * DAY_US for days in RECENT_DAYS), OLDEST_US):
        rows = await connection.fetch(
            _LATEST.format(since=time_literal(since_us), until=until), [one.id for one in wanted]
        )
        older: list[SeriesInfo] = []
        for one, (number_ts, number, text_ts, text) in zip(wanted, rows, strict=True):
            device, metric, kind, unit, _ = one
            if text_ts is not None:  # it is newer than the number, else it would not have been found
                newest.append(Reading(device, metric, microseconds(text_ts), text, unit))
            elif number_ts is not None:
                value = number == 1.0 if kind == "bool" and number in {0.0, 1.0} else number
                newest.append(Reading(device, metric, microseconds(number_ts), value, unit))
            else:
                older.append(one)
        if not older:
            break
        wanted = older
    return newest


_LATEST: Final = """
    SELECT number.ts, number.value, label.ts, label.value
      FROM unnest($1::int4[]) WITH ORDINALITY AS wanted(id, place)
      LEFT JOIN LATERAL (SELECT ts, value FROM readings
                          WHERE series_id = wanted.id AND ts >= {since} AND ts < {until}
                          ORDER BY ts DESC LIMIT 1) AS number ON true
      LEFT JOIN LATERAL (SELECT ts, value FROM readings_text
                          WHERE series_id = wanted.id AND ts >= {since} AND ts < {until}
                            AND ts > coalesce(number.ts, {since})
                          ORDER BY ts DESC LIMIT 1) AS label ON true
     ORDER BY wanted.place
"""
