"""What a question for buckets has to know before it is planned: watermarks, what retention dropped, dirty hours."""

from collections.abc import Sequence
from typing import Final

from storage.engine import RawConnection
from storage.partitions import instant, microseconds
from storage.queries.bucket_plan import HOUR_US, Progress


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
