"""Deleting and renaming devices, series and ranges of time, beside hubs that write.

A change is a row in `name_changes`, committed together with what it does to the names, under an exclusive lock. Its number
is the generation of the names: a writer begins each transaction with the shared lock and a look at the generation, in one
round trip (`inserter`). So either it sees the change and looks its names up again, or the change waits for its commit. No
reading stays under a name that is not its own, and none without a series.

What waits in a spool was received earlier than the changes made since, which it follows when it is drained (`followed`).
Rows are removed leaf by leaf, each in a transaction of its own; `deleted_series` says which series are not finished, and
maintenance finishes what a command was interrupted at.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from storage.device_state import DeviceState
from storage.engine import RawConnection
from storage.errors import StorageError
from storage.partitions import NEWEST_US, OLDEST_US, instant, microseconds, read_leaves
from storage.reading import Reading

LOCK_NAMES: Final = 0x7E1E_0005
WAIT_S: Final = 60.0
POLL_S: Final = 0.05
HOUR_US: Final = 3_600_000_000
STEP_S: Final = 3_600.0
"""Deadline of one step: a count, or the removal from one leaf."""
OF_SERIES: Final = ("readings", "readings_text", "rollup_minute", "rollup_hour")
GENERATION: Final = "SELECT coalesce(max(id), 0) FROM name_changes"
SHARE_NAMES: Final = f"SELECT pg_advisory_xact_lock_shared({LOCK_NAMES})"

Progress = Callable[[str], None]
"""Is told what was done, in a few words."""


class ChangeError(StorageError):
    """A deletion or renaming that cannot be done; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Change:
    """One deletion, or one renaming where there is a new device."""

    device: str
    metric: str | None = None
    from_us: int = OLDEST_US
    to_us: int = NEWEST_US
    new_device: str | None = None
    new_metric: str | None = None
    id: int = 0
    at_us: int = 0

    @property
    def whole(self) -> bool:
        """Whether it is about all times."""
        return self.from_us <= OLDEST_US and self.to_us >= NEWEST_US

    def meets(self, device: str, metric: str | None) -> bool:
        return device == self.device and self.metric in {None, metric}


@dataclass(frozen=True, slots=True)
class Extent:
    """What a change is about: rows by table, and series."""

    series: int
    rows: dict[str, int]


async def read_changes(connection: RawConnection, after: int) -> list[Change]:
    """Return the changes behind number `after`, in their order."""
    rows = await connection.fetch(_CHANGES, after)
    return [
        Change(
            device,
            metric,
            OLDEST_US if begin is None else microseconds(begin),
            NEWEST_US if end is None else microseconds(end),
            new_device,
            new_metric,
            number,
            microseconds(at),
        )
        for number, at, device, metric, begin, end, new_device, new_metric in rows
    ]


def followed(
    readings: Sequence[Reading], states: Sequence[DeviceState], changes: Iterable[Change]
) -> tuple[list[Reading], list[DeviceState]]:
    """Return what was received before the changes as it is after them."""
    kept, known = list(readings), list(states)
    for change in changes:
        if change.new_device is None:
            kept = [
                one
                for one in kept
                if not (change.meets(one.device, one.metric) and change.from_us <= one.time_us < change.to_us)
            ]
            if change.metric is None and change.whole:
                known = [one for one in known if one.device != change.device]
            continue
        for at, one in enumerate(kept):
            if change.meets(one.device, one.metric):
                metric = change.new_metric or one.metric
                kept[at] = one._replace(device=change.new_device, metric=metric)
        if change.metric is None:
            known = [one._replace(device=change.new_device) if one.device == change.device else one for one in known]
    return kept, known


async def extent(connection: RawConnection, change: Change) -> Extent:
    """Count what a change is about; raises ChangeError when there is nothing of that name."""
    ids = await _series(connection, change)
    between = instant(change.from_us), instant(change.to_us)
    async with connection.transaction(readonly=True):
        await connection.execute("SET LOCAL statement_timeout = 0")
        rows = {
            table: await connection.fetchval(
                f"SELECT count(*) FROM {table} WHERE series_id = ANY($1::int4[]) AND ts >= $2 AND ts < $3",  # noqa: S608
                ids,
                *between,
                timeout=STEP_S,
            )
            for table in ("readings", "readings_text")
        }
    return Extent(len(ids), rows)


async def delete(connection: RawConnection, change: Change, progress: Progress) -> int:
    """Delete a device, a series or a range of it; return the number of readings removed. Not within a transaction."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK_NAMES)
        ids = await _series(connection, change)
        await _note(connection, change)
        if change.whole:
            await connection.execute("DELETE FROM rollup_dirty WHERE series_id = ANY($1::int4[])", ids)
            await connection.execute("INSERT INTO deleted_series (id) SELECT unnest($1::int4[])", ids)
            await connection.execute("DELETE FROM series WHERE id = ANY($1::int4[])", ids)
            await connection.execute(_DELETE_DEVICE, change.device, change.metric is None)
    progress("the name is gone; waiting for what is being written")
    await _settle(connection)
    if change.whole:
        return await _purge(connection, ids, progress)
    return await _remove(connection, ids, change.from_us, change.to_us, progress, recompute=True)


async def rename(connection: RawConnection, change: Change) -> int:
    """Give a device, or a metric of it, another name; return the number of series."""
    new_device, new_metric = change.new_device, change.new_metric
    if new_device is None or (new_device, new_metric or change.metric) == (change.device, change.metric):
        raise ChangeError("the new name is the old one")
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK_NAMES)
        ids = await _series(connection, change)
        taken = await connection.fetch(_TAKEN, ids, new_device, new_metric)
        if taken:
            names = ", ".join(f"{metric} [{unit}]" if unit else metric for metric, unit in taken[:5])
            raise ChangeError(
                f"{new_device} has readings of {names} already, and two series are not made one: delete one of them, or"
                " rename the metric first"
            )
        exists = await connection.fetchval("SELECT true FROM devices WHERE name = $1", new_device)
        if change.metric is None and not exists:
            await connection.execute("UPDATE devices SET name = $2 WHERE name = $1", change.device, new_device)
        else:
            await connection.execute("INSERT INTO devices (name) VALUES ($1) ON CONFLICT DO NOTHING", new_device)
            await connection.execute(_MOVE, ids, new_device, new_metric)
            await connection.execute(_DELETE_DEVICE, change.device, change.metric is None)
        await _note(connection, change)
    await _settle(connection)
    return len(ids)


async def purge_left_over(connection: RawConnection) -> None:
    """Remove what interrupted deletions have left; under the maintenance lock."""
    ids = [row["id"] for row in await connection.fetch(_LEFT_OVER)]
    if ids:
        await _settle(connection)
        await _purge(connection, ids, lambda _: None)


async def _purge(connection: RawConnection, ids: Sequence[int], progress: Progress) -> int:
    removed = await _remove(connection, ids, OLDEST_US, NEWEST_US, progress, recompute=False)
    await connection.execute("DELETE FROM deleted_series WHERE id = ANY($1::int4[])", ids)
    return removed


async def _remove(
    connection: RawConnection, ids: Sequence[int], from_us: int, to_us: int, progress: Progress, *, recompute: bool
) -> int:
    """Remove rows leaf by leaf; with `recompute` their hours are marked, so that questions read what is left meanwhile."""
    removed = 0
    for table, unit_us in zip(OF_SERIES, (1, 1, 60_000_000, 3_600_000_000), strict=True):
        start_us = from_us - from_us % unit_us
        for leaf in await read_leaves(connection, table):
            begin, end = max(start_us, leaf.start_us), min(to_us, leaf.end_us)
            if begin >= end:
                continue
            async with connection.transaction():
                await connection.execute("SET LOCAL statement_timeout = 0")
                between = instant(max(begin, OLDEST_US)), instant(min(end, NEWEST_US))
                if recompute and table == "readings":
                    await connection.execute(_MARK, ids, *_whole_hours(begin, end))
                status = await connection.execute(
                    f'DELETE FROM "{leaf.name}" WHERE series_id = ANY($1::int4[]) AND ts >= $2 AND ts < $3',  # noqa: S608
                    ids,
                    *between,
                    timeout=STEP_S,
                )
            count = int(status.rpartition(" ")[2])
            removed += count if table in {"readings", "readings_text"} else 0
            if count:
                progress(f"{leaf.name}: {count:,} rows")
    return removed


def _whole_hours(begin_us: int, end_us: int) -> tuple[datetime, datetime]:
    """Return the range widened to whole hours: their rollups go, and are computed from what is left."""
    start_us, last_us = begin_us - begin_us % HOUR_US, end_us + -end_us % HOUR_US
    return instant(max(start_us, OLDEST_US)), instant(min(last_us, NEWEST_US))


async def _series(connection: RawConnection, change: Change) -> list[int]:
    ids = [row["id"] for row in await connection.fetch(_SERIES, change.device, change.metric)]
    if not ids and not (
        change.metric is None and await connection.fetchval("SELECT true FROM devices WHERE name = $1", change.device)
    ):
        what = f"device {change.device!r}" + (f", metric {change.metric!r}" if change.metric else "")
        raise ChangeError(f"there is nothing stored of {what}")
    return ids


async def _note(connection: RawConnection, change: Change) -> None:
    await connection.execute(
        _NOTE,
        change.device,
        change.metric,
        None if change.from_us <= OLDEST_US else instant(change.from_us),
        None if change.to_us >= NEWEST_US else instant(change.to_us),
        change.new_device,
        change.new_metric,
    )


async def _settle(connection: RawConnection) -> None:
    """Wait for the transactions that may have looked at the names before the change; raises TimeoutError."""
    writers: list[str] = await connection.fetchval(_WRITERS)
    async with asyncio.timeout(WAIT_S):
        while writers and await connection.fetchval(_ANY_LEFT, writers):  # noqa: ASYNC110 - Postgres tells nobody
            await asyncio.sleep(POLL_S)


_LEFT_OVER: Final = "SELECT id FROM deleted_series"
_CHANGES: Final = """
    SELECT id, at, device, metric, from_ts, to_ts, new_device, new_metric FROM name_changes WHERE id > $1 ORDER BY id
"""
_NOTE: Final = """
    INSERT INTO name_changes (device, metric, from_ts, to_ts, new_device, new_metric) VALUES ($1, $2, $3, $4, $5, $6)
"""
_SERIES: Final = """
    SELECT series.id FROM series JOIN devices ON devices.id = device_id
     WHERE devices.name = $1 AND ($2::text IS NULL OR metric = $2) ORDER BY series.id
"""
_TAKEN: Final = """
    SELECT theirs.metric, theirs.unit
      FROM series AS ours
      JOIN devices ON devices.name = $2
      JOIN series AS theirs ON theirs.device_id = devices.id
       AND theirs.metric = coalesce($3, ours.metric) AND theirs.unit = ours.unit
     WHERE ours.id = ANY($1::int4[]) AND theirs.id <> ours.id
     ORDER BY 1, 2
"""
_MOVE: Final = """
    UPDATE series SET device_id = (SELECT id FROM devices WHERE name = $2), metric = coalesce($3, metric)
     WHERE id = ANY($1::int4[])
"""
# A device whose last series went by its metric's name stays while a state of it is known.
_DELETE_DEVICE: Final = """
    DELETE FROM devices
     WHERE name = $1 AND NOT EXISTS (SELECT FROM series WHERE device_id = devices.id) AND ($2 OR state IS NULL)
"""
_MARK: Final = """
    INSERT INTO rollup_dirty (series_id, hour, marks)
    SELECT DISTINCT series_id, date_trunc('hour', ts, 'UTC'),
           (SELECT generation FROM rollup_state WHERE name = 'minute')
      FROM readings WHERE series_id = ANY($1::int4[]) AND ts >= $2 AND ts < $3
    ON CONFLICT (series_id, hour) DO UPDATE SET marks = greatest(rollup_dirty.marks, excluded.marks)
"""
_WRITERS: Final = """
    SELECT coalesce(array_agg(DISTINCT virtualtransaction), '{}')
      FROM pg_locks
     WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND granted AND pid <> pg_backend_pid()
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND relation IN (SELECT relid FROM pg_partition_tree('readings')
                        UNION ALL SELECT relid FROM pg_partition_tree('readings_text'))
"""
_ANY_LEFT: Final = "SELECT EXISTS (SELECT FROM pg_locks WHERE virtualtransaction = ANY($1::text[]))"
