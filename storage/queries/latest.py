"""The newest reading of each of many series, by device time.

One index descent a series: a lateral LIMIT 1 that walks the leaves from the newest backwards. Planning and opening a
scan on each of a year's leaves would cost more than the descents, so the question is asked for the last days first and
only for the series not found there again over everything. The bound is written into the statement, rounded to a day:
the planner drops the older leaves, and the prepared statement stays good for a day.
"""

from collections.abc import Sequence
from typing import Final

import asyncpg

from storage.copy_out import time_literal
from storage.engine import RawConnection
from storage.partitions import OLDEST_US, microseconds
from storage.queries.lookup import SeriesName
from storage.reading import Reading

DAY_US: Final = 86_400_000_000
RECENT_DAYS: Final = (2, 32)


async def latest_of(connection: RawConnection, names: Sequence[SeriesName], now_us: int) -> list[Reading]:
    """Return the newest reading of each series; those without any, and unknown ones, are left out."""
    newest: list[Reading] = []
    wanted = list(dict.fromkeys(names))
    for since_us in (*(now_us - now_us % DAY_US - days * DAY_US for days in RECENT_DAYS), OLDEST_US):
        rows = await connection.fetch(
            _LATEST.format(since=time_literal(since_us)),
            [device for device, _ in wanted],
            [metric for _, metric in wanted],
        )
        found = [reading for row in rows if (reading := _newer(row)) is not None]
        newest += found
        if len(found) == len(rows):
            break
        # Unknown series are not asked for again: the join left them out.
        seen = {(reading.device, reading.metric) for reading in found}
        wanted = [(row[0], row[1]) for row in rows if (row[0], row[1]) not in seen]
    return newest


def _newer(row: asyncpg.Record) -> Reading | None:
    """Return the newer of the number and the text that a row of `_LATEST` holds."""
    device, metric, kind, unit, number_ts, number, text_ts, text = row
    if number_ts is None and text_ts is None:
        return None
    if number_ts is None or (text_ts is not None and text_ts > number_ts):
        return Reading(device, metric, microseconds(text_ts), text, unit)
    value = bool(number) if kind == "bool" and number in {0.0, 1.0} else number
    return Reading(device, metric, microseconds(number_ts), value, unit)


_LATEST: Final = """
    SELECT wanted.device, wanted.metric, series.kind, series.unit, number.ts, number.value, label.ts, label.value
      FROM unnest($1::text[], $2::text[]) AS wanted(device, metric)
      JOIN devices ON devices.name = wanted.device
      JOIN series ON series.device_id = devices.id AND series.metric = wanted.metric
      LEFT JOIN LATERAL (SELECT ts, value FROM readings
                          WHERE series_id = series.id AND ts >= {since} ORDER BY ts DESC LIMIT 1) AS number ON true
      LEFT JOIN LATERAL (SELECT ts, value FROM readings_text
                          WHERE series_id = series.id AND ts >= {since} ORDER BY ts DESC LIMIT 1) AS label ON true
"""
