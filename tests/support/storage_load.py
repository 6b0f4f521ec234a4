"""A steady stream of readings into a store, and the proof afterwards: everything acknowledged is there, once."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from storage.reading import Reading
from storage.store import Store
from tests.support.waiting import wait_until

DEVICES = 20
PAUSE_S = 0.002


class Load:
    """Writes messages of 20 readings, about 10,000 readings/s, holding back while the store is full."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._start_us = time.time_ns() // 1000
        self._futures: set[asyncio.Future[None]] = set()
        self.offered = 0
        self.acknowledged = 0
        self.most_pending = 0

    async def run(self) -> None:
        while True:
            await self._store.wait_not_full()
            self.offer()
            self.most_pending = max(self.most_pending, self._store.rows_pending)
            await asyncio.sleep(PAUSE_S)

    def offer(self) -> None:
        time_us = self._start_us + self.offered
        future = self._store.write([Reading(f"d{i}", "m", time_us, float(self.offered)) for i in range(DEVICES)])
        self.offered += 1
        self._futures.add(future)

        def note(done: asyncio.Future[None]) -> None:
            self._futures.discard(done)
            if not done.cancelled():
                self.acknowledged += 1

        future.add_done_callback(note)

    async def settled(self, deadline_s: float = 30.0) -> None:
        """Wait until everything offered is acknowledged and has reached Postgres."""
        await wait_until(lambda: self.acknowledged == self.offered, deadline_s)
        await wait_until(lambda: self._store.spool.batches == 0 and self._store.health()["ok"], deadline_s)

    async def verify(self, url: str) -> None:
        """Every reading offered is stored once, with its value."""
        connection = await asyncpg.connect(url)
        try:
            ((stored, distinct, total),) = await connection.fetch(
                "SELECT count(*), count(DISTINCT (series_id, ts)), coalesce(sum(value), 0) FROM readings"
            )
        finally:
            await connection.close()
        assert (stored, distinct) == (self.offered * DEVICES, self.offered * DEVICES)
        assert total == DEVICES * self.offered * (self.offered - 1) / 2


@asynccontextmanager
async def load_on(store: Store) -> AsyncIterator[Load]:
    """Run the load in the background for the time of the block."""
    load = Load(store)
    task = asyncio.create_task(load.run())
    try:
        yield load
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
