"""Rollups: per minute and per hour, recomputed from what is stored and never added up, so nothing counts twice.

Two ways lead a reading into them:

1. *The advancing watermark.* A round claims the minutes up to `now - delay` (`claimed_to`, committed), waits until all
   writers of that moment have ended, computes the minutes in between and moves `rolled_to` in the same transaction. A
   crash between the steps leaves `rolled_to < claimed_to`; the next round waits again and computes that span.
2. *Dirty hours.* A writer whose batch has readings older than a few seconds looks at `claimed_to` after its COPY, inside
   its transaction, and marks the (series, hour) pairs of readings before it. Either it sees the claim and marks, or it
   was under way when the claim was made and is waited for. A round computes marked hours again and removes a mark only
   if nobody has raised it meanwhile. A writer marks a pair once a *generation*, which the round raises before it begins.

A batch of fresh readings need not look: the claim stays `delay` behind, which is longer than a flush may take
(`fresh_after_us`). Hours are computed from minutes, when they are complete.

Where retention has dropped readings (`retention_state`), their rollups are final: a mark there is removed and nothing is
computed, because what is left of the readings is not all of them.
"""

import asyncio
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import asyncpg
import numpy as np
import numpy.typing as npt

from storage.engine import RawConnection
from storage.leaves import Leaves
from storage.partitions import Leaf, instant, microseconds
from storage.sql import statement

HOUR_US: Final = 3_600_000_000
OLDEST: Final = instant(0)
CLOCK_SKEW_S: Final = 10.0
"""By how much the time that a writer reckons with (`clock`) and the database's may differ."""
CHUNK: Final = timedelta(minutes=15)
LONGEST_CHUNK: Final = timedelta(hours=6)
CHUNK_S: Final = (1.0, 10.0)
"""A step of a backlog that takes less time than the first doubles the next one, more than the second halves it."""
REDO_HOURS: Final = 2_000
REDO_LEAVES: Final = 32
"""Hours and leaves of readings that one transaction recomputes: each leaf is two locks, of the some thousand there are."""
MARKS_KEPT: Final = 200_000
WAIT_S: Final = 20.0
WAIT_POLL_S: Final = 0.05
ROLL_TIMEOUT_S: Final = 300.0


class Watermarks(NamedTuple):
    """How far the rollups are."""

    claimed_to: datetime
    minutes_to: datetime
    hours_to: datetime


def fresh_after_us(now_us: int, delay_s: float, write_timeout_s: float) -> int:
    """Return the time from which on readings cannot be overtaken by a claim while they are being written."""
    return now_us - int((delay_s - write_timeout_s - CLOCK_SKEW_S) * 1_000_000)


class Marks:
    """The (series, hour) pairs that this process has marked in the present generation; shared by its links.

    A pair is marked once a generation and not once a batch: the mark is still there, because the maintenance loop raises
    the generation, waits for the transactions that have seen the old one, and then removes marks of older ones only.
    """

    def __init__(self) -> None:
        self._generation = -1
        self._pairs: set[int] = set()

    def forget(self) -> None:
        self._pairs.clear()

    async def mark(
        self, connection: RawConnection, series: npt.NDArray[np.int32], time_us: npt.NDArray[np.int64]
    ) -> tuple[int, list[int]]:
        """Mark the hours of those readings that a rollup may have passed, in the transaction that stores them.

        Return the generation seen and the pairs marked: `keep` them when the transaction is committed.
        """
        claimed_to, generation = await _row(connection, _CLAIM)
        if generation != self._generation or len(self._pairs) > MARKS_KEPT:
            self._generation = generation
            self._pairs.clear()
        behind = time_us < microseconds(claimed_to)
        if not behind.any():
            return generation, []
        pairs = np.unique((series[behind].astype(np.int64) << 32) + time_us[behind] // HOUR_US)
        new = [pair for pair in pairs.tolist() if pair not in self._pairs]
        if new:
            await connection.execute(
                _MARK, [pair >> 32 for pair in new], [pair & 0xFFFF_FFFF for pair in new], generation
            )
        return generation, new

    def keep(self, generation: int, pairs: list[int]) -> None:
        if generation == self._generation:
            self._pairs.update(pairs)


async def _row(connection: RawConnection, query: str) -> asyncpg.Record:
    while (row := await connection.fetchrow(query)) is None:
        await connection.execute(_STATE)
    return row


# The migrations made the rows; somebody who has emptied all tables has removed them.
_STATE: Final = """
    INSERT INTO rollup_state (name, rolled_to) VALUES ('minute', '1970-01-01 00:00+00'), ('hour', '1970-01-01 00:00+00')
    ON CONFLICT DO NOTHING
"""
_CLAIM: Final = "SELECT claimed_to, generation FROM rollup_state WHERE name = 'minute'"
_MARK: Final = """
    INSERT INTO rollup_dirty (series_id, hour, marks)
    SELECT series_id, to_timestamp(hour * 3600), $3 FROM unnest($1::int4[], $2::int8[]) AS marks(series_id, hour)
    ON CONFLICT (series_id, hour) DO UPDATE SET marks = greatest(rollup_dirty.marks, excluded.marks)
"""


async def read_watermarks(connection: RawConnection) -> Watermarks:
    rows = {row["name"]: row for row in await connection.fetch("SELECT * FROM rollup_state")}
    if not {"minute", "hour"} <= rows.keys():
        await connection.execute(_STATE)
        return await read_watermarks(connection)
    return Watermarks(rows["minute"]["claimed_to"], rows["minute"]["rolled_to"], rows["hour"]["rolled_to"])


async def advance(connection: RawConnection, leaves: Leaves, delay_s: float) -> Watermarks:
    """Roll everything up to `delay_s` before now; one owner at a time (the maintenance lock)."""
    marks = await read_watermarks(connection)
    now: datetime = await connection.fetchval("SELECT now()")
    target = (now - timedelta(seconds=delay_s)).replace(second=0, microsecond=0)
    if target > marks.claimed_to:
        await connection.execute("UPDATE rollup_state SET claimed_to = $1 WHERE name = 'minute'", target)
        marks = marks._replace(claimed_to=target)
    if marks.minutes_to < marks.claimed_to:
        await _await_writers(connection)
    chunk = CHUNK
    while marks.minutes_to < marks.claimed_to:
        # Only where there are leaves: a reading from years ago must not cost a pass over the years between.
        known = await leaves.known(connection, "readings")
        at = microseconds(marks.minutes_to)
        leaf = next(
            (leaf for leaf in known if leaf.end_us > at and leaf.start_us < microseconds(marks.claimed_to)), None
        )
        if leaf is None:
            return await _move(connection, marks, marks.claimed_to)
        if leaf.start_us > at:
            marks = await _move(connection, marks, instant(leaf.start_us))
        until = min(marks.claimed_to, instant(leaf.end_us), marks.minutes_to + chunk)
        begin = time.monotonic()
        marks = await _roll(connection, leaves, marks, until)
        # A wide leaf is far away and sparse: a quarter of it is as little work as six hours of a day's.
        longest = max(LONGEST_CHUNK, timedelta(microseconds=(leaf.end_us - leaf.start_us) // 4))
        chunk = _next_chunk(chunk, time.monotonic() - begin, longest)
    return marks


def _next_chunk(chunk: timedelta, took_s: float, longest: timedelta) -> timedelta:
    quick_s, slow_s = CHUNK_S
    if took_s > slow_s:
        return max(chunk / 2, timedelta(minutes=1))
    return min(chunk * 2, longest) if took_s < quick_s else chunk


async def _await_writers(connection: RawConnection) -> None:
    """Wait for the transactions that may have looked at the claim before it was there; raises TimeoutError.

    A writer looks after its COPY, so it holds a lock on the readings or on one of their leaves by then.
    """
    writers: list[str] = await connection.fetchval(_WRITERS)
    async with asyncio.timeout(WAIT_S):
        while writers and await connection.fetchval(_ANY_LEFT, writers):  # noqa: ASYNC110 - Postgres tells nobody
            await asyncio.sleep(WAIT_POLL_S)


_WRITERS: Final = """
    SELECT coalesce(array_agg(DISTINCT virtualtransaction), '{}')
      FROM pg_locks
     WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND granted
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND relation IN (SELECT relid FROM pg_partition_tree('readings'))
"""
_ANY_LEFT: Final = "SELECT EXISTS (SELECT FROM pg_locks WHERE virtualtransaction = ANY($1::text[]))"


async def _move(connection: RawConnection, marks: Watermarks, until: datetime) -> Watermarks:
    """Move both watermarks; in the transaction that computes what lies between, if anything does."""
    hours_to = max(marks.hours_to, _hour(until))
    await connection.execute("UPDATE rollup_state SET rolled_to = $1 WHERE name = 'minute'", until)
    await connection.execute("UPDATE rollup_state SET rolled_to = $1 WHERE name = 'hour'", hours_to)
    return marks._replace(minutes_to=until, hours_to=hours_to)


async def _roll(connection: RawConnection, leaves: Leaves, marks: Watermarks, until: datetime) -> Watermarks:
    """Compute the minutes [rolled, until) and the hours that became complete."""
    hours_to = _hour(until)
    await leaves.cover(connection, "rollup_minute", marks.minutes_to, until)
    await leaves.cover(connection, "rollup_hour", max(marks.hours_to, _hour(marks.minutes_to)), until)
    async with connection.transaction():
        await connection.execute("SET LOCAL statement_timeout = 0")
        await connection.execute(statement("roll_minutes"), marks.minutes_to, until, timeout=ROLL_TIMEOUT_S)
        if hours_to > marks.hours_to:
            start = max(marks.hours_to, _hour(marks.minutes_to))
            await connection.execute(statement("roll_hours"), start, hours_to, timeout=ROLL_TIMEOUT_S)
        return await _move(connection, marks, until)


async def take_dirty(connection: RawConnection, leaves: Leaves) -> int:
    """Compute all hours again that are dirty now; return their number.

    Marks of the generation that begins here stay for the next round: their writers count on finding them.
    """
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM rollup_dirty)"):
        return 0
    generation: int = await connection.fetchval(_NEXT_GENERATION)
    await _await_writers(connection)
    done, last = 0, (OLDEST, 0)
    while rows := await connection.fetch(_DIRTY, *last, REDO_HOURS):
        for piece in _pieces(rows, await leaves.known(connection, "readings")):
            await _redo(connection, leaves, piece, generation)
        last = rows[-1]["hour"], rows[-1]["series_id"]
        done += len(rows)
    return done


def _pieces(rows: Sequence[asyncpg.Record], leaves: Sequence[Leaf]) -> Iterator[Sequence[asyncpg.Record]]:
    """Cut rows in the order of their hours where a piece would touch too many leaves."""
    starts = [leaf.start_us for leaf in leaves]
    begin = 0
    for at, row in enumerate(rows):
        passed = bisect_right(starts, microseconds(row["hour"])) - bisect_right(
            starts, microseconds(rows[begin]["hour"])
        )
        if passed >= REDO_LEAVES:
            yield rows[begin:at]
            begin = at
    yield rows[begin:]


async def _redo(connection: RawConnection, leaves: Leaves, rows: Sequence[asyncpg.Record], generation: int) -> None:
    marks = await read_watermarks(connection)
    dropped_to = await connection.fetchval("SELECT dropped_to FROM retention_state WHERE name = 'readings'")
    kept = [row for row in rows if dropped_to is None or row["hour"] >= dropped_to]
    series, hours = [row["series_id"] for row in kept], [row["hour"] for row in kept]
    for table in ("rollup_minute", "rollup_hour"):
        for hour in sorted(set(hours)):
            await leaves.cover(connection, table, hour, hour + timedelta(hours=1))
    async with connection.transaction():
        await connection.execute("SET LOCAL statement_timeout = 0")
        # A generic plan would open all leaves and drop most of them when it runs.
        await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        if kept:
            span = hours[0], hours[-1] + timedelta(hours=1)
            for name, until in (("redo_minutes", marks.minutes_to), ("redo_hours", marks.hours_to)):
                await connection.execute(statement(name), series, hours, until, *span, timeout=ROLL_TIMEOUT_S)
        await connection.execute(
            _UNMARK,
            [row["series_id"] for row in rows],
            [row["hour"] for row in rows],
            [row["marks"] for row in rows],
            generation,
        )


_NEXT_GENERATION: Final = """
    UPDATE rollup_state SET generation = generation + 1 WHERE name = 'minute' RETURNING generation
"""
_DIRTY: Final = """
    SELECT series_id, hour, marks FROM rollup_dirty
     WHERE (hour, series_id) > ($1::timestamptz, $2::int4) ORDER BY hour, series_id LIMIT $3
"""
_UNMARK: Final = """
    DELETE FROM rollup_dirty
     USING unnest($1::int4[], $2::timestamptz[], $3::int8[]) AS done(series_id, hour, marks)
     WHERE rollup_dirty.series_id = done.series_id AND rollup_dirty.hour = done.hour
       AND rollup_dirty.marks = done.marks AND rollup_dirty.marks < $4
"""


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
