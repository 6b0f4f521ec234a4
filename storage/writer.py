"""The writer: gathers readings into batches and has a few tasks that put them into the database.

Hot path: `add` extends a list and nothing else. A batch is sealed at `flush_rows`, or at `flush_age_s` once a writer is
free: while all of them are busy the open batch keeps growing, so a slow database gets larger batches and not more.

Promises: a batch's future resolves when its readings are committed, and not before the futures of earlier batches.
Memory is bounded by `pending_rows` and `pending_bytes`: then `full` is true and the hub stops reading publishers.
While the database is away the batches wait here; each writer tries again with jittered back-off.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence

import asyncpg
import numpy as np
import numpy.typing as npt

from storage.backoff import Backoff
from storage.batch import Batch, Ring
from storage.columns import Columns, key_of, look_up, to_columns, unknown_kinds
from storage.database import Database
from storage.engine import DATABASE_AWAY, RawConnection, lend
from storage.errors import StorageError, StoreClosedError
from storage.inserter import Counters, Inserter, Leaves
from storage.quarantine import QuarantinedPayload, refused_reading
from storage.reading import Reading
from storage.series import SeriesCache
from storage.settings import StorageSettings

TRACKED_SERIES = 1 << 22
"""Series ids up to this have their newest time remembered (8 bytes each, as far as they are used)."""
RETRY_AT_ONCE = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


class NewestTimes:
    """The newest stored time of each series, by id: tells rows that cannot be repeats from those that may be.

    It may call a new row suspect, never a repeat fresh without the primary key still catching it.
    """

    def __init__(self) -> None:
        self._times = np.full(1024, -(1 << 62), np.int64)

    def suspects(self, columns: Columns) -> npt.NDArray[np.bool_] | None:
        """Return a mask of the rows not newer than what was seen before, None for none; then remember the batch."""
        if not len(columns.series):
            return None
        highest = int(columns.series[-1])
        if highest >= TRACKED_SERIES:
            return None
        if highest >= len(self._times):
            grown = np.full(max(highest + 1, 2 * len(self._times)), -(1 << 62), np.int64)
            grown[: len(self._times)] = self._times
            self._times = grown
        known = self._times[columns.series]
        suspect = columns.time_us <= known
        # Sorted by (series, time): of several rows of a series the last assignment, the newest, stays.
        self._times[columns.series] = np.maximum(columns.time_us, known)
        return suspect if suspect.any() else None

    def forget(self) -> None:
        self._times = np.full(1024, -(1 << 62), np.int64)


class Writer:
    """Owns the open batch, the sealed ones, and the tasks that write them."""

    def __init__(self, settings: StorageSettings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._open: Batch | None = None
        self._sealed: deque[Batch] = deque()
        self._ring = Ring()
        self._sealed_rows = 0
        self._sealed_bytes = 0
        self._idle = 0
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._empty = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False
        self._series = SeriesCache(settings.series_cached)
        self._newest = NewestTimes()
        self._leaves = Leaves(int(settings.partition_width.total_seconds()) * 1_000_000)
        self.counters = Counters()

    @property
    def rows_pending(self) -> int:
        """Readings in memory that are not durable yet."""
        return self._sealed_rows + (len(self._open.rows) if self._open else 0)

    @property
    def bytes_pending(self) -> int:
        return self._sealed_bytes + (self._open.extra_bytes if self._open else 0)

    @property
    def full(self) -> bool:
        return self.rows_pending >= self._settings.pending_rows or self.bytes_pending >= self._settings.pending_bytes

    async def wait_not_full(self) -> None:
        while self.full:
            self._room.clear()
            await self._room.wait()

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._work(), name=f"storage writer {number}")
            for number in range(self._settings.writers)
        ]

    def add(self, readings: Sequence[Reading], extra_bytes: int) -> asyncio.Future[None]:
        batch = self._open or self._begin()
        batch.rows += readings
        batch.extra_bytes += extra_bytes
        if len(batch.rows) >= self._settings.flush_rows:
            self._seal(batch)
        return batch.future

    def add_quarantined(self, item: QuarantinedPayload) -> asyncio.Future[None]:
        batch = self._open or self._begin()
        batch.quarantined.append(item)
        batch.extra_bytes += len(item.payload) + 1000
        if len(batch.quarantined) >= self._settings.flush_rows:
            self._seal(batch)
        return batch.future

    async def close(self, deadline_s: float) -> int:
        """Write what is left within the deadline; return the number of batches that could not be written."""
        self._closed = True
        if self._open is not None:
            self._seal(self._open)
        try:
            async with asyncio.timeout(deadline_s):
                while len(self._ring):
                    self._empty.clear()
                    await self._empty.wait()
        except TimeoutError:
            pass  # the database is away: what is left was never acknowledged, its senders send it again
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return self._ring.abandon()

    def _begin(self) -> Batch:
        if self._closed:
            raise StoreClosedError
        loop = asyncio.get_running_loop()
        batch = self._open = Batch(loop.create_future())
        loop.call_later(self._settings.flush_age_s, self._age, batch)
        return batch

    def _age(self, batch: Batch) -> None:
        batch.due = True
        if self._open is batch and self._idle:
            self._seal(batch)

    def _seal(self, batch: Batch) -> None:
        self._open = None
        self._sealed_rows += len(batch.rows)
        self._sealed_bytes += batch.extra_bytes
        self._sealed.append(batch)
        self._ring.add(batch)
        self._wake.set()

    async def _next(self) -> Batch:
        while not self._sealed:
            if self._open is not None and self._open.due:
                self._seal(self._open)
                break
            self._wake.clear()
            self._idle += 1
            try:
                await self._wake.wait()
            finally:
                self._idle -= 1
        return self._sealed.popleft()

    def _settle(self, batch: Batch) -> None:
        self.counters.batches += 1
        for settled in self._ring.settle(batch):
            self._sealed_rows -= len(settled.rows)
            self._sealed_bytes -= settled.extra_bytes
        if not self.full:
            self._room.set()
        if not len(self._ring):
            self._empty.set()

    async def _work(self) -> None:
        """Hold a connection and write batch after batch; a batch in hand survives any number of connections."""
        backoff = Backoff()
        batch: Batch | None = None
        while True:
            try:
                engine = await self._database.open()
                async with lend(engine) as connection:
                    inserter = Inserter(connection, self._leaves, self.counters)
                    self._database.note_up()
                    while True:
                        if batch is None:
                            batch = await self._next()
                        await self._write(batch, connection, inserter)
                        self._settle(batch)
                        batch = None
                        self._database.note_up()
                        backoff.reset()
            except (*DATABASE_AWAY, StorageError) as error:
                self.counters.failures += 1
                if not isinstance(error, RETRY_AT_ONCE):
                    self._database.note_away(error)
                    self._forget()
                await asyncio.sleep(backoff.next_s())

    def _forget(self) -> None:
        """Drop what the connection taught us: the next server may be a restored backup with other ids and leaves."""
        self._series.ids.clear()
        self._newest.forget()
        self._leaves.forget()

    async def _write(self, batch: Batch, connection: RawConnection, inserter: Inserter) -> None:
        quarantined = batch.quarantined
        if batch.rows:
            columns = await self._columns(batch.rows, connection)
            self.counters.rows_duplicate += columns.repeats
            refused_numbers = await inserter.put_numbers(columns, self._newest.suspects(columns))
            refused_texts = await inserter.put_texts(columns.texts)
            refused = columns.refused
            if refused_numbers or refused_texts:
                pairs = {(int(columns.series[row]), int(columns.time_us[row])) for row in refused_numbers}
                pairs |= {(series_id, time_us) for series_id, time_us, _ in refused_texts}
                refused = refused + self._refusals(batch.rows, pairs)
            self.counters.rows_refused += len(refused)
            quarantined = quarantined + refused
        await inserter.put_quarantined(quarantined)

    async def _columns(self, rows: Sequence[Reading], connection: RawConnection) -> Columns:
        found = look_up(rows, self._series.ids)
        if None in found:
            # Looked up in a dictionary of our own: a small cache may push out ids that this batch needs.
            known = {key_of(row): number for row, number in zip(rows, found, strict=True) if number is not None}
            known |= await self._series.register(connection, unknown_kinds(rows, known))
            found = look_up(rows, known)
        return to_columns(rows, found, time.time_ns() // 1000)

    def _refusals(self, rows: Sequence[Reading], pairs: set[tuple[int, int]]) -> list[QuarantinedPayload]:
        now_us = time.time_ns() // 1000
        return [
            refused_reading(row, "refused", "the database refused the value", now_us)
            for row, series_id in zip(rows, look_up(rows, self._series.ids), strict=True)
            if (series_id, row.time_us) in pairs
        ]
