"""Puts columns into the tables over one connection: COPY first, staging where a key repeats, parts where something fails.

Rules: every path is idempotent, so a batch whose commit is unclear is simply put again. Rows that this process has
seen a newer or equal time for are likely repeats or late and go through staging; all others are copied straight into
their leaf, and only a unique violation sends them through staging as well. What cannot be stored is divided off
(`division`) and told to the caller; nothing is left out in silence.

Each put has a deadline of its own and looks at the catalogue's witness (`link`) in its own transaction: rows never rest
under the id of a series of another database.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple, NoReturn

import asyncpg
import numpy as np
import numpy.typing as npt
import structlog

from storage.blame import Blame, PlaceError, blame, told
from storage.changes import SHARE_NAMES
from storage.columns import Columns
from storage.copy_format import encode_numbers, encode_texts
from storage.device_state import DeviceState
from storage.division import FAILED, UNWRITABLE, Aside, Places, Put, Rows, divide, insist
from storage.engine import RawConnection
from storage.leaves import Leaves
from storage.partitions import instant
from storage.quarantine import DETAIL_CHARACTERS, QuarantinedPayload, storable_text
from storage.rollups import Marks

log = structlog.get_logger(__name__)

ROW_COLUMNS: Final = ("series_id", "ts", "value")
STAGES: Final = {"readings": "stage_readings", "readings_text": "stage_readings_text"}
TOO_MANY_PARTITIONS: Final = "too_many_partitions"


class CatalogueChangedError(Exception):
    """Series ids mean something else than when they were looked up: the database was replaced, emptied or restored."""


class Witness(NamedTuple):
    """The series with the highest id that this process knows, and the generation of names (`changes`).

    Where they are not as they were, no id may be relied on.
    """

    series_id: int
    created: datetime
    generation: int


@dataclass(slots=True)
class Counters:
    """What the writer did since its start; plain integers, read by /metrics."""

    rows_stored: int = 0
    rows_duplicate: int = 0
    rows_conflicting: int = 0
    """Of a time that their series has with another value."""
    rows_refused: int = 0
    rows_set_aside: int = 0
    rows_without_partition: int = 0
    quarantined: int = 0
    quarantine_dropped: int = 0
    device_states: int = 0
    batches: int = 0
    batches_staged: int = 0
    batches_spooled: int = 0
    failures: int = 0


class Inserter:
    """One connection's way into the tables; `begin` before each batch."""

    def __init__(
        self,
        connection: RawConnection,
        leaves: Leaves,
        marks: Marks,
        places: Places,
        counters: Counters,
        deadline_s: float,
        partitions_a_batch: int,
        *,
        last_wins: bool = False,
    ) -> None:
        self._connection = connection
        self._marks = marks
        self._leaves = leaves
        self._places = places
        self._counters = counters
        self._deadline_s = deadline_s
        self._partitions_a_batch = partitions_a_batch
        self._last_wins = last_wins
        self._staged: set[str] = set()
        self.begin(None, insisting=False)

    def begin(self, witness: Witness | None, *, insisting: bool) -> None:
        """Take the next batch: its ids hold while the witness does; `insisting` refuses rows whose place fails."""
        self._witness = witness
        self._insisting = insisting
        self._partitions_left = self._partitions_a_batch

    async def put_numbers(
        self, columns: Columns, suspect: npt.NDArray[np.bool_] | None, fresh_from_us: Callable[[], int]
    ) -> Aside:
        """Store the numbers; rows marked `suspect` go through staging.

        `fresh_from_us` says, just before a put, from which time on no rollup can have passed a reading (`rollups`).
        """
        aside = Aside()

        async def put(rows: Rows, *, stage: bool) -> None:
            series, times = columns.series[rows], columns.time_us[rows]
            data = encode_numbers(series, times, columns.value[rows])
            mark = int(times.min()) < fresh_from_us()
            await self._put("readings", data, times, stage=stage, marks=series if mark else None)

        plain, staged = partial(put, stage=False), partial(put, stage=True)
        everything = np.arange(len(columns.series))
        if suspect is None or not suspect.any():
            await self._store("readings", columns.time_us, everything, plain, aside)
        else:
            await self._store("readings", columns.time_us, everything[~suspect], plain, aside)
            await self._store("readings", columns.time_us, everything[suspect], staged, aside)
        return aside

    async def put_texts(self, texts: Sequence[tuple[int, int, str]]) -> Aside:
        aside = Aside()
        times = np.fromiter((time_us for _, time_us, _ in texts), np.int64, len(texts))

        async def put(rows: Rows) -> None:
            data = encode_texts([texts[row] for row in rows.tolist()])
            await self._put("readings_text", data, times[rows], stage=False, marks=None)

        await self._store("readings_text", times, np.arange(len(texts)), put, aside)
        return aside

    async def put_quarantined(self, items: Sequence[QuarantinedPayload]) -> Aside:
        """Store refused payloads; one that is stored already is left as it is."""
        aside = Aside()
        times = np.fromiter((item.received_us for item in items), np.int64, len(items))

        async def put(rows: Rows) -> None:
            some = [items[row] for row in rows.tolist()]
            try:
                await self._insert_quarantined(some, storable_text)
            except asyncpg.UntranslatableCharacterError:
                await self._insert_quarantined(some, _ascii_text)
            self._counters.quarantined += len(some)

        await self._store("quarantine", times, np.arange(len(items)), put, aside)
        return aside

    async def _insert_quarantined(self, items: Sequence[QuarantinedPayload], text: Callable[[str, int], str]) -> None:
        async with asyncio.timeout(self._deadline_s):
            await self._connection.execute(
                _QUARANTINE,
                [instant(item.received_us) for item in items],
                [item.identity for item in items],
                [text(item.topic, len(item.topic)) for item in items],
                [item.payload for item in items],
                [text(item.reason, DETAIL_CHARACTERS) for item in items],
                [text(item.detail, DETAIL_CHARACTERS) for item in items],
                [None if item.content_type is None else text(item.content_type, DETAIL_CHARACTERS) for item in items],
                [item.origin for item in items],
                [item.retained for item in items],
            )

    async def put_device_states(self, states: Sequence[DeviceState]) -> Aside:
        """Keep the newest state of each device; a device that is not known yet is made."""
        aside = Aside()
        newest: dict[str, int] = {}
        for row, state in enumerate(states):
            known = newest.get(state.device)
            if known is None or state.time_us >= states[known].time_us:
                newest[state.device] = row
        in_order = [newest[device] for device in sorted(newest)]  # so that hubs cannot deadlock

        async def put(rows: Rows) -> None:
            some = [states[row] for row in rows.tolist()]
            async with asyncio.timeout(self._deadline_s):
                await self._connection.execute(
                    _DEVICE_STATES,
                    [state.device for state in some],
                    [state.online for state in some],
                    [storable_text(state.state) for state in some],
                    [instant(state.time_us) for state in some],
                )
            self._counters.device_states += len(some)

        await self._divide(np.array(in_order, np.intp), put, "devices", aside)
        return aside

    async def _store(self, table: str, times: npt.NDArray[np.int64], rows: Rows, put: Put, aside: Aside) -> None:
        """Put rows into a partitioned table, leaf by leaf if they do not go all at once."""
        if not len(rows):
            return
        some = times[rows]
        leaf = await self._leaves.target(self._connection, table, int(some.min()), int(some.max()))
        if leaf != table:
            await self._divide(rows, put, leaf, aside)
            return
        rows, slots = await self._with_leaves(table, times, rows, aside)
        if not len(rows):
            return
        names = [leaf.name for leaf in await self._leaves.known(self._connection, table)]
        found = np.unique(slots).tolist()
        if len(found) > 1 and not self._places:
            # A batch that spans midnight, or a backfill: usually one COPY through the parent does.
            try:
                await put(rows)
            except FAILED as error:
                if blame(error) is Blame.AWAY and not isinstance(error, asyncpg.DiskFullError):
                    raise
            else:
                return
        for slot in found:
            place = names[slot] if slot >= 0 else table
            await self._divide(rows[slots == slot], put, place, aside)

    async def _divide(self, rows: Rows, put: Put, place: str, aside: Aside) -> None:
        async def put_there(some: Rows) -> None:
            try:
                await put(some)
            except asyncpg.DiskFullError as error:
                if await self._connection.fetchval(_HAS_TABLESPACE, place):
                    raise PlaceError(told(error)) from error
                raise

        here = Aside()
        await divide(rows, put_there, place, self._places, here)
        if self._insisting and here.waiting:
            waiting, here.waiting = np.fromiter(here.waiting, np.intp), {}
            await insist(waiting, put_there, here)
        aside.add(here)

    async def _with_leaves(
        self, table: str, times: npt.NDArray[np.int64], rows: Rows, aside: Aside
    ) -> tuple[Rows, npt.NDArray[np.intp]]:
        """Make the missing leaves, the newest first and each for good; return the rows to put and their slots.

        A leaf that cannot be made costs its rows alone, and so does one too many for a batch. One that Postgres
        refuses (a partition made by hand is in its way) is left to the put: the parent may take the rows elsewhere.
        """
        slots = await self._leaves.slots(self._connection, table, times[rows])
        given_up = np.zeros(len(rows), np.bool_)
        while (missing := (slots < 0) & ~given_up).any():
            newest_us = int(times[rows[missing]].max())
            if self._partitions_left <= 0:
                count = int(missing.sum())
                detail = f"its batch would have made more than {self._partitions_a_batch} partitions at once"
                aside.refuse(rows[missing], TOO_MANY_PARTITIONS, detail)
                self._counters.rows_without_partition += count
                log.warning(TOO_MANY_PARTITIONS, table=table, rows=count, newest=instant(newest_us).isoformat())
                rows, slots, given_up = rows[~missing], slots[~missing], given_up[~missing]
                break
            self._partitions_left -= 1
            try:
                async with asyncio.timeout(self._deadline_s):
                    await self._leaves.make(self._connection, table, newest_us)
            except FAILED as error:
                match blame(error):
                    case Blame.AWAY:
                        raise
                    case Blame.ROWS:
                        given_up |= times[rows] == newest_us
                    case Blame.PLACE:
                        # A right is missing for all leaves alike: one attempt says so for all of their rows.
                        all_alike = isinstance(error, asyncpg.InsufficientPrivilegeError)
                        hit = missing if all_alike else missing & (times[rows] == newest_us)
                        if self._insisting:
                            aside.refuse(rows[hit], UNWRITABLE, told(error))
                        else:
                            aside.wait(rows[hit], told(error))
                        rows, slots, given_up = rows[~hit], slots[~hit], given_up[~hit]
            else:
                slots = await self._leaves.slots(self._connection, table, times[rows])
        return rows, slots

    async def _put(
        self,
        table: str,
        data: memoryview,
        times: npt.NDArray[np.int64],
        *,
        stage: bool,
        marks: npt.NDArray[np.int32] | None,
    ) -> None:
        first_us, last_us = int(times.min()), int(times.max())
        for last_attempt in (False, False, True):
            target = await self._leaves.target(self._connection, table, first_us, last_us)
            if stage:
                await self._make_stage(table)
            try:
                async with asyncio.timeout(self._deadline_s), self._transaction():
                    stored, conflicts = await self._stage(table, data) if stage else (await self._copy(target, data), 0)
                    marked = None if marks is None else await self._marks.mark(self._connection, marks, times)
            except asyncpg.UniqueViolationError:
                if last_attempt:
                    raise
                stage = True
            except (asyncpg.UndefinedTableError, asyncpg.CheckViolationError) as error:
                if error.constraint_name is not None:
                    raise
                if last_attempt:
                    await self._raise_for_place(table, error)
                # Retention, here or in another hub, dropped the leaf since we learnt of it.
                self._leaves.forget()
                await self._make_again(table, times)
            else:
                break
        if marked is not None:
            self._marks.keep(*marked)
        self._counters.rows_stored += stored
        self._counters.rows_duplicate += len(times) - stored - conflicts
        self._counters.rows_conflicting += conflicts
        self._counters.batches_staged += stage

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[None]:
        """Begin a transaction that holds the witness, in one round trip; commit it, or roll it back.

        It locks `series` against whoever would replace it, and the names against changes (`changes`), until the commit.
        """
        begin = "BEGIN" if self._witness is None else _BEGIN.format(*self._witness)
        try:
            await self._connection.execute(begin)
        except asyncpg.DivisionByZeroError:
            await self._connection.execute("ROLLBACK")
            raise CatalogueChangedError from None
        try:
            yield
        except FAILED:
            # After anything else, a time-out of ours for one, the connection is thrown away.
            if not self._connection.is_closed():
                await self._connection.execute("ROLLBACK")
            raise
        await self._connection.execute("COMMIT")

    async def _raise_for_place(self, table: str, error: asyncpg.PostgresError) -> NoReturn:
        """Raise for rows that no leaf takes, or whose leaf has a trigger with a table missing; or for no schema."""
        if isinstance(error, asyncpg.CheckViolationError):
            raise error
        if await self._connection.fetchval("SELECT to_regclass($1) IS NULL", table):
            raise error
        raise PlaceError(told(error)) from error

    async def _make_again(self, table: str, times: npt.NDArray[np.int64]) -> None:
        async with asyncio.timeout(self._deadline_s):
            while (missing := await self._leaves.slots(self._connection, table, times) < 0).any():
                await self._leaves.make(self._connection, table, int(times[missing].max()))

    async def _copy(self, target: str, data: memoryview) -> int:
        status = await self._connection.copy_to_table(
            target,
            source=data,  # type: ignore[arg-type]  # asyncpg takes any buffer that is no path, its stubs do not say so
            columns=ROW_COLUMNS,
            format="binary",
        )
        return int(status.rpartition(" ")[2])

    async def _make_stage(self, table: str) -> None:
        stage = STAGES[table]
        if stage not in self._staged:
            await self._connection.execute(
                f"CREATE TEMP TABLE IF NOT EXISTS {stage} (LIKE {table}) ON COMMIT DELETE ROWS"
            )
            self._staged.add(stage)

    async def _stage(self, table: str, data: memoryview) -> tuple[int, int]:
        """Store rows of which some may exist already; return how many were new, and how many have another value there."""
        stage = STAGES[table]
        rows = await self._copy(stage, data)
        conflicts = 0
        if self._last_wins:
            conflicts = await self._connection.fetchval(_CONFLICTS.format(table=table, stage=stage))
        insert = _UPSERT if conflicts else _INSERT
        status = await self._connection.execute(insert.format(table=table, stage=stage))
        stored = int(status.rpartition(" ")[2]) - conflicts
        if stored < rows and not self._last_wins:
            conflicts = await self._connection.fetchval(_CONFLICTS.format(table=table, stage=stage))
        return stored, conflicts


async def witness_of(connection: RawConnection, series_id: int) -> Witness | None:
    """Return the witness as it is now; None when its series is gone."""
    row = await connection.fetchrow(_WITNESS, series_id)
    return None if row is None else Witness(series_id, *row)


def _ascii_text(text: str, limit: int) -> str:
    """Return the text for a database whose encoding lacks a character of it."""
    return storable_text(text, limit).encode("ascii", "backslashreplace").decode()


_INSERT: Final = "INSERT INTO {table} SELECT series_id, ts, value FROM {stage} ON CONFLICT DO NOTHING"
_UPSERT: Final = """
    INSERT INTO {table} SELECT series_id, ts, value FROM {stage}
    ON CONFLICT (series_id, ts) DO UPDATE SET value = excluded.value
     WHERE {table}.value IS DISTINCT FROM excluded.value
"""
# A lateral LIMIT is an index probe a row in its leaf; a plain join might read all leaves.
_CONFLICTS: Final = """
    SELECT count(*) FROM {stage} AS staged CROSS JOIN LATERAL (
           SELECT value FROM {table} WHERE series_id = staged.series_id AND ts = staged.ts LIMIT 1) AS held
     WHERE held.value IS DISTINCT FROM staged.value
"""
_BEGIN: Final = f"""
    BEGIN; {SHARE_NAMES};
    SELECT 1 / count(*) FROM series
     WHERE id = {{}} AND created = '{{}}' AND (SELECT coalesce(max(id), 0) FROM name_changes) = {{}}
"""  # noqa: S608 - numbers and a time
_WITNESS: Final = "SELECT created, (SELECT coalesce(max(id), 0) FROM name_changes) FROM series WHERE id = $1"
_HAS_TABLESPACE: Final = "SELECT reltablespace <> 0 FROM pg_class WHERE oid = to_regclass($1)"
_QUARANTINE = """
    INSERT INTO quarantine (ts, id, topic, payload, reason, detail, content_type, origin, retained)
    SELECT * FROM unnest($1::timestamptz[], $2::uuid[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::text[],
                         $8::text[], $9::bool[])
    ON CONFLICT DO NOTHING
"""
_DEVICE_STATES = """
    INSERT INTO devices (name, online, state, state_ts)
    SELECT * FROM unnest($1::text[], $2::bool[], $3::text[], $4::timestamptz[])
    ON CONFLICT (name) DO UPDATE
       SET online = excluded.online, state = excluded.state, state_ts = excluded.state_ts
     WHERE devices.state_ts IS NULL OR devices.state_ts <= excluded.state_ts
"""
