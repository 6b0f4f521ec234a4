"""Maintenance: one loop that makes and drops leaves and keeps the rollups up, in one hub at a time.

A session-wide advisory lock says which hub does the round; the others skip it. Every step is one transaction and may be
repeated, so a hub killed between two steps leaves work and never a wrong result. A failed round is logged, counted and
repeated after a growing pause; it says nothing about the breaker in `database`, which is about writing.
"""

import asyncio
from typing import Final

import structlog

from storage.backoff import Backoff
from storage.changes import purge_left_over
from storage.database import Database
from storage.engine import DATABASE_AWAY, RawConnection, end, lend
from storage.leaves import Leaves
from storage.retention import Retention
from storage.rollups import advance, take_dirty
from storage.settings import StorageSettings

log = structlog.get_logger(__name__)

LOCK_MAINTENANCE: Final = 0x7E1E_0003
STUCK_ROUNDS: Final = 3


class Maintenance:
    """`start()` and `close()` by the store; `round()` may be called by tests and commands."""

    def __init__(self, settings: StorageSettings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._task: asyncio.Task[None] | None = None
        self.retention = Retention(settings, database.clock)
        self._backoff = Backoff(first_s=1.0, longest_s=max(60.0, settings.maintenance_every_s))
        self.rounds = 0
        self.failures = 0
        self.problem: str | None = None
        """Why the last round failed, or the loop ended; None after a round that succeeded."""
        self._failed_in_a_row = 0

    @property
    def stuck(self) -> bool:
        """Whether rounds fail again and again, so that rollups and retention stand still; once is no reason for alarm."""
        return self._failed_in_a_row >= STUCK_ROUNDS or (self._task is not None and self._task.done())

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep(), name="storage maintenance")
        self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Make a programming error visible: the task ends before it is cancelled only by one."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self.problem = f"the loop ended: {type(error).__name__}: {error}"
            log.error("storage_task_ended", task=task.get_name(), exc_info=error)

    async def close(self) -> None:
        if self._task is not None:
            await end([self._task])

    async def _keep(self) -> None:
        while True:
            await self._database.wait_up(None)
            pause_s = self._settings.maintenance_every_s
            try:
                await self.round()
            except DATABASE_AWAY as error:
                self.failures += 1
                self._failed_in_a_row += 1
                self.problem = f"{type(error).__name__}: {error}".splitlines()[0][:300]
                log.warning("maintenance_failed", problem=self.problem)
                pause_s = self._backoff.next_s()
            else:
                self._backoff.reset()
            await asyncio.sleep(pause_s)

    async def round(self) -> bool:
        """Do one round; False when another hub is at it."""
        async with lend(self._database.queries) as connection:
            await self._database.clock.measure(connection)
            if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK_MAINTENANCE):
                self._note_success()  # of the other hub, which tells its own problems
                return False
            # After an error `lend` throws the connection away, and the lock goes with it.
            await self._round(connection)
            await connection.execute("SELECT pg_advisory_unlock($1)", LOCK_MAINTENANCE)
        self.rounds += 1
        self._note_success()
        return True

    def _note_success(self) -> None:
        self.problem = None
        self._failed_in_a_row = 0

    async def _round(self, connection: RawConnection) -> None:
        leaves = Leaves(int(self._settings.partition_width.total_seconds()) * 1_000_000)
        # Leaves first: rollups that fail, or have much to catch up with, must not keep the writers from theirs.
        await self.retention.round(connection, leaves)
        await advance(connection, leaves, self._settings.rollup_delay_s)
        await purge_left_over(connection)
        await take_dirty(connection, leaves)
