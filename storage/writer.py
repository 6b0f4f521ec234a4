"""The writer: gathers readings into batches, and has a few tasks that make them durable.

Hot path: `add` extends a list and nothing else. A batch is sealed at `flush_rows`, or at `flush_age_s` once a writer is
free: while all of them are busy the open batch keeps growing, so a slow database gets larger batches and not more.

Durable means committed in Postgres. While Postgres is away (refused, timed out, disk full, read-only), a batch waits
`spool_after_s` from the beginning of the outage, and then goes to the spool: durable there, its future resolves after
the fsync. One more task (`drain`) empties the spool when Postgres is back, beside the live batches: readings carry
their own time, so the order between backlog and live is of no meaning.

No batch blocks those behind it. What Postgres refuses goes to quarantine; what a place cannot take at present (a locked
leaf, a full tablespace) goes to the spool as well, and the rest of its batch is stored.

Promises: a batch's future resolves when its readings are durable, and not before the futures of earlier batches. Memory
is bounded by `pending_rows` and `pending_bytes`: then, with the spool full too, `full` stays true and the hub stops
reading publishers. Nothing is dropped.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Sequence
from typing import Final

import asyncpg
import structlog

from storage.batch import Batch, Ring
from storage.database import Database
from storage.device_state import DeviceState
from storage.drain import Drain
from storage.engine import DATABASE_AWAY, end
from storage.errors import SpoolError, StoreClosedError
from storage.inserter import Counters
from storage.link import Knowledge, Leftover, Link
from storage.quarantine import QuarantinedPayload
from storage.reading import Reading
from storage.settings import StorageSettings
from storage.spool import Spool

log = structlog.get_logger(__name__)

RETRY_AT_ONCE: Final = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
SPOOL_RETRY_S: Final = 0.5
STATE_BYTES: Final = 300  # of memory that a device state holds, about


class Writer:
    """Owns the open batch, the sealed ones, and the tasks that write them."""

    def __init__(self, settings: StorageSettings, database: Database, spool: Spool) -> None:
        self._settings = settings
        self._database = database
        self._spool = spool
        self._flush_rows = settings.flush_rows
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
        width_us = int(settings.partition_width.total_seconds()) * 1_000_000
        self._knowledge = Knowledge(settings.series_cached, width_us, settings.quarantine_bytes)
        self.counters = Counters()
        self._drain = Drain(settings, database, spool, self._link(), self._try)
        self.defect: str | None = None

    @property
    def rows_pending(self) -> int:
        """Readings in memory that are not durable yet."""
        return self._sealed_rows + (len(self._open.rows) if self._open else 0)

    @property
    def bytes_pending(self) -> int:
        return self._sealed_bytes + (self._open.extra_bytes if self._open else 0)

    @property
    def waiting(self) -> str | None:
        """Say which readings wait in the spool though the database answers, and why; None when none do."""
        problem = self._drain.problem
        if problem is None:
            return None
        return f"set aside in the spool: {self._spool.rows} rows; {self._knowledge.places.told() or problem}"

    @property
    def quarantine_full(self) -> bool:
        return self._knowledge.quarantine_room.full

    @property
    def places_failing(self) -> int:
        return len(self._knowledge.places)

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
        self._tasks.append(asyncio.create_task(self._drain.run(), name="storage spool drain"))
        for task in self._tasks:
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Make a programming error visible: a task that ends before it is cancelled has one."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self.defect = f"{task.get_name()} ended: {type(error).__name__}: {error}"
            log.error("storage_task_ended", task=task.get_name(), exc_info=error)

    def add(self, readings: Sequence[Reading], extra_bytes: int = 0) -> asyncio.Future[None]:
        """Take the readings and return the future of their batch, shared by all calls of the batch.

        It resolves after the commit, or is cancelled when the store is closed before. `extra_bytes` is the memory
        that they hold beyond numbers and known names (long texts): the size of the payload is a good answer.
        """
        batch = self._open or self._begin()
        rows = batch.rows
        rows += readings
        batch.extra_bytes += extra_bytes
        if len(rows) >= self._flush_rows:
            self._seal(batch)
        return batch.future

    def add_quarantined(self, item: QuarantinedPayload) -> asyncio.Future[None]:
        batch = self._open or self._begin()
        batch.quarantined.append(item)
        batch.extra_bytes += len(item.payload) + 1000
        if len(batch.quarantined) >= self._settings.flush_rows:
            self._seal(batch)
        return batch.future

    def add_device_state(self, item: DeviceState) -> asyncio.Future[None]:
        batch = self._open or self._begin()
        batch.states.append(item)
        batch.extra_bytes += STATE_BYTES
        if len(batch.states) >= self._settings.flush_rows:
            self._seal(batch)
        return batch.future

    async def close(self, deadline_s: float) -> int:
        """Make what is left durable within the deadline; return the number of batches for which that failed.

        They were never acknowledged: their futures are cancelled, their senders send them again.
        """
        self._closed = True
        if self._open is not None:
            self._seal(self._open)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                while len(self._ring):
                    self._empty.clear()
                    await self._empty.wait()
        await end(self._tasks)
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
        for settled in self._ring.settle(batch):
            self._sealed_rows -= len(settled.rows)
            self._sealed_bytes -= settled.extra_bytes
        if not self.full:
            self._room.set()
        if not len(self._ring):
            self._empty.set()

    def _link(self) -> Link:
        return Link(self._database, self._knowledge, self.counters, self._settings)

    def _patience_s(self) -> float:
        """Return how long a batch may still wait for the database before it goes to the spool."""
        since = self._database.away_since_s
        if since is None:
            return 0.0
        return max(0.0, since + self._settings.spool_after_s - time.monotonic())

    async def _work(self) -> None:
        link = self._link()
        try:
            while True:
                batch = await self._next()
                rest = Leftover(batch.rows, batch.quarantined, batch.states)
                while (rest := await self._commit(rest, link)) and not await self._set_aside(rest):
                    rest = await self._refuse(rest, link)
                self._settle(batch)
        finally:
            await link.close()

    async def _commit(self, batch: Leftover, link: Link) -> Leftover:
        """Write the batch to Postgres; return what is not there: all of it when that is away for too long."""
        while await self._database.wait_up(self._patience_s()):
            left = await self._try(link, batch)
            if left is not None:
                self.counters.batches += 1
                return left
        return batch

    async def _set_aside(self, batch: Leftover) -> bool:
        """Write the batch to the spool; False when that has no room."""
        if not self._settings.spool_bytes:
            return False
        try:
            await self._spool.put(batch.readings, batch.quarantined, batch.states)
        except SpoolError:
            return False  # shown by `spool.problem`, and by publishers held back once memory is full
        self.counters.batches_spooled += 1
        return True

    async def _refuse(self, batch: Leftover, link: Link) -> Leftover:
        """Quarantine what cannot even wait, if it was Postgres that refused it; return what is left."""
        if await self._database.wait_up(SPOOL_RETRY_S) and batch.problem:
            left = await self._try(link, batch, insisting=True)
            batch = batch if left is None else left
            if batch:
                await asyncio.sleep(SPOOL_RETRY_S)
        return batch

    async def _try(self, link: Link, batch: Leftover, *, live: bool = True, insisting: bool = False) -> Leftover | None:
        """Write the batch; return what is left over of it, None when the database failed and all has to be repeated."""
        try:
            left = await link.write(batch.readings, batch.quarantined, batch.states, live=live, insisting=insisting)
        except RETRY_AT_ONCE:
            self.counters.failures += 1
            return None
        except DATABASE_AWAY as error:
            self.counters.failures += 1
            self._knowledge.forget()
            self._database.note_away(error)
            return None
        self._database.note_ok()
        return left
