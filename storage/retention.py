"""Retention: leaves are made ahead of time, and dropped whole when all of their rows are too old.

Rules:
- No clock is trusted alone, the database's neither: with the embedded server both are one. Nothing is dropped unless
  the hub's and the database's agree (`clock`), there are readings of the last day, and there are readings of before,
  within what is kept. So a clock that jumped ahead drops nothing for a day, and `held` says so meanwhile.
- A round drops one leaf of a table, the oldest.
- Dropping never overtakes the rollups: a leaf of readings stays until its minutes are rolled and no hour in it is dirty,
  a leaf of minutes until its hours are. What was dropped is noted in the same transaction (`retention_state`).
- A drop waits a second for its lock at most, because writers queue behind it; it is tried again in the next round.
"""

from datetime import timedelta
from typing import Final

import asyncpg
import structlog

from storage.clock import DatabaseClock
from storage.engine import RawConnection
from storage.leaves import WIDTHS, Leaves
from storage.partitions import LOCK_PARTITIONS, MICROSECOND, OLDEST_US, Leaf, instant, plan
from storage.rollups import read_watermarks
from storage.settings import StorageSettings

log = structlog.get_logger(__name__)

LOCK_TIMEOUT: Final = "1s"
NEAR_US: Final = 86_400_000_000
EARLIER_US: Final = 32 * NEAR_US


def keep_of(settings: StorageSettings, table: str) -> timedelta | None:
    """Return how long rows of the table are kept, None for ever."""
    return {
        "readings": settings.keep_readings,
        "readings_text": settings.keep_readings,
        "rollup_minute": settings.keep_minutes,
        "rollup_hour": settings.keep_hours,
        "quarantine": settings.keep_quarantine,
    }[table]


class Retention:
    """The partitions of all tables, looked after in each round of maintenance."""

    def __init__(self, settings: StorageSettings, clock: DatabaseClock) -> None:
        self._settings = settings
        self._clock = clock
        self.dropped = 0
        """Leaves dropped since the start."""
        self.held: str | None = None
        """Why leaves that are too old were not dropped in the last round; None when there was no reason against it."""

        self.ending: str | None = None
        """When the partitions end that somebody has to make for the hub, where that is soon."""

    async def round(self, connection: RawConnection, leaves: Leaves) -> None:
        """Make the leaves that will be needed, and drop the oldest of each table where it is too old."""
        now_us = self._clock.database_us()
        held = None
        self.ending = None
        for table in WIDTHS:
            leaf = await self._tend(connection, leaves, table, now_us)
            if leaf is None:
                continue
            doubt = self._clock.problem or await doubts(connection, now_us, keep_of(self._settings, table))
            if doubt is not None:
                held = held or f"{leaf.name} is too old and was not dropped: {doubt}"
            elif await _is_rolled(connection, table, leaf) and await _drop(connection, table, leaf):
                leaves.forget()
                self.dropped += 1
        if held is not None and self.held is None:
            log.warning("retention_held", reason=held)
        elif self.held is not None and held is None:
            log.info("retention_goes_on")
        self.held = held

    async def _tend(self, connection: RawConnection, leaves: Leaves, table: str, now_us: int) -> Leaf | None:
        """Make the leaves of `table` that will be needed; return the oldest if all of its rows are too old."""
        leaves.forget()
        keep = keep_of(self._settings, table)
        ahead = self._settings.partitions_ahead if table in {"readings", "readings_text"} else 1
        todo = plan(
            now_us,
            await leaves.known(connection, table),
            leaves.width_us(table),
            ahead,
            keep // MICROSECOND if keep is not None else None,
        )
        try:
            for start_us, end_us in todo.create:
                await leaves.cover(connection, table, instant(start_us), instant(end_us))
        except asyncpg.InsufficientPrivilegeError:
            self.ending = self.ending or (
                f"the partitions of {table} end at {instant(todo.create[0][0]):%Y-%m-%d %H:%M} UTC and the hub's role may"
                " not make more: run `telemetry-hub migrate --ahead P30D` as their owner"
            )
        return min(todo.drop, default=None)


async def doubts(connection: RawConnection, now_us: int, keep: timedelta | None) -> str | None:
    """Return why `now_us` may be wrong, judged by the readings; None when they bear it out."""
    keep_us = OLDEST_US if keep is None else keep // MICROSECOND
    near_us = min(NEAR_US, keep_us // 2)
    if not await _any_readings(connection, now_us - near_us, now_us + near_us):
        return (
            f"no reading is stored of the last {near_us / 3.6e9:,.0f} hours before {instant(now_us):%Y-%m-%d %H:%M} UTC;"
            " is the clock right? It goes on when there are some"
        )
    since_us = max(OLDEST_US, now_us - min(keep_us, EARLIER_US))
    if not await _any_readings(connection, since_us, now_us - near_us):
        return (
            f"the readings of the last {near_us / 3.6e9:,.0f} hours have none before them since"
            f" {instant(since_us):%Y-%m-%d %H:%M} UTC; has the clock jumped ahead? If it is right, nothing is to do"
        )
    return None


async def _any_readings(connection: RawConnection, from_us: int, to_us: int) -> bool:
    """Return whether there is a reading of [from_us, to_us): an index probe a series until one is found."""
    for table in ("readings", "readings_text"):
        if await connection.fetchval(_ANY.format(table=table), instant(from_us), instant(to_us)):
            return True
    return False


_ANY: Final = """
    SELECT EXISTS (
        SELECT FROM series CROSS JOIN LATERAL (
            SELECT FROM {table} WHERE series_id = series.id AND ts >= $1 AND ts < $2 LIMIT 1) AS found)
"""


async def _is_rolled(connection: RawConnection, table: str, leaf: Leaf) -> bool:
    if table not in {"readings", "rollup_minute"}:
        return True
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
    except asyncpg.InsufficientPrivilegeError:
        log.warning("partition_drop_forbidden", leaf=leaf.name, remedy="let the hub's role own the tables, or drop it")
        return False
    log.info("partition_dropped", leaf=leaf.name)
    return True


_NOTE: Final = """
    INSERT INTO retention_state (name, dropped_to) VALUES ($1, $2)
    ON CONFLICT (name) DO UPDATE SET dropped_to = greatest(retention_state.dropped_to, excluded.dropped_to)
"""
