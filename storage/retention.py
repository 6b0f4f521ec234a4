"""Retention: leaves are made ahead of time, and dropped whole when all of their rows are too old.

Dropping never overtakes the rollups: a leaf of readings stays until its minutes are rolled and no hour in it is dirty,
a leaf of minutes until its hours are. What was dropped is noted in the same transaction (`retention_state`).
A drop waits a second for its lock at most, because writers queue behind it; it is tried again in the next round.
"""

from datetime import timedelta
from typing import Final

import asyncpg
import structlog

from storage.engine import RawConnection
from storage.leaves import Leaves
from storage.partitions import LOCK_PARTITIONS, MICROSECOND, Leaf, instant, plan
from storage.rollups import read_watermarks
from storage.settings import StorageSettings

log = structlog.get_logger(__name__)

LOCK_TIMEOUT: Final = "1s"


def keep_of(settings: StorageSettings, table: str) -> timedelta | None:
    """Return how long rows of the table are kept, None for ever."""
    return {
        "readings": settings.keep_readings,
        "readings_text": settings.keep_readings,
        "rollup_minute": settings.keep_minutes,
        "rollup_hour": settings.keep_hours,
        "quarantine": settings.keep_quarantine,
    }[table]


async def tend(connection: RawConnection, leaves: Leaves, settings: StorageSettings, table: str, now_us: int) -> int:
    """Make the leaves of `table` that will be needed and drop those that are too old; return the number dropped."""
    leaves.forget()
    keep = keep_of(settings, table)
    ahead = settings.partitions_ahead if table in {"readings", "readings_text"} else 1
    todo = plan(
        now_us,
        await leaves.known(connection, table),
        leaves.width_us(table),
        ahead,
        keep // MICROSECOND if keep is not None else None,
    )
    for start_us, end_us in todo.create:
        await leaves.cover(connection, table, instant(start_us), instant(end_us))
    dropped = 0
    for leaf in todo.drop:
        if table in {"readings", "rollup_minute"} and not await _is_rolled(connection, table, leaf):
            continue
        dropped += await _drop(connection, table, leaf)
    if dropped:
        leaves.forget()
    return dropped


async def _is_rolled(connection: RawConnection, table: str, leaf: Leaf) -> bool:
    marks = await read_watermarks(connection)
    if instant(leaf.end_us) > (marks.minutes_to if table == "readings" else marks.hours_to):
        return False
    dirty = "SELECT EXISTS (SELECT FROM rollup_dirty WHERE hour >= $1 AND hour < $2)"
    return not await connection.fetchval(dirty, instant(max(leaf.start_us, 0)), instant(leaf.end_us))


async def _drop(connection: RawConnection, table: str, leaf: Leaf) -> bool:
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK_PARTITIONS)
            await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            await connection.execute(_NOTE, table, instant(leaf.end_us))
            await connection.execute(f'DROP TABLE IF EXISTS "{leaf.name}"')
    except asyncpg.LockNotAvailableError:
        log.info("partition_drop_postponed", leaf=leaf.name)
        return False
    log.info("partition_dropped", leaf=leaf.name)
    return True


_NOTE: Final = """
    INSERT INTO retention_state (name, dropped_to) VALUES ($1, $2)
    ON CONFLICT (name) DO UPDATE SET dropped_to = greatest(retention_state.dropped_to, excluded.dropped_to)
"""
