"""The drain: one task that brings the spool's batches to Postgres; each leaves the spool after its commit.

In their order, but none waits for the one before it: what cannot be stored at present stays where it lies, the pass goes
on behind it, and begins again after a pause. What has waited `set_aside_s` in vain goes to quarantine with its reason.
"""

import asyncio
import time
from collections.abc import Awaitable
from typing import Final, Protocol

import structlog

from storage.database import Database
from storage.engine import DATABASE_AWAY
from storage.errors import SpoolError
from storage.link import Leftover, Link
from storage.settings import StorageSettings
from storage.spool import Spool, Spooled

log = structlog.get_logger(__name__)

RETRY_S: Final = 0.5
PAUSE_S: Final = (1.0, 30.0)
"""Between two passes over batches that wait: as long as the last one took four times, within these bounds."""


class Write(Protocol):
    """`Writer._try`."""

    def __call__(self, link: Link, batch: Leftover, *, live: bool, insisting: bool) -> Awaitable[Leftover | None]: ...


class Drain:
    """Owned by the writer; `run` is its task."""

    def __init__(self, settings: StorageSettings, database: Database, spool: Spool, link: Link, write: Write) -> None:
        self._set_aside_s = settings.set_aside_s
        self._database = database
        self._spool = spool
        self._link = link
        self._write = write
        self._waiting_since: dict[int, float] = {}
        self.problem: str | None = None
        """Why batches wait in the spool though the database answers; None when none does."""

    async def run(self) -> None:
        try:
            while True:
                await self._spool.wait_filled()
                await self._database.wait_up(None)
                begin = time.monotonic()
                try:
                    waiting = await self._pass()
                except SpoolError as error:
                    self._spool.problem = error.problem
                    await asyncio.sleep(RETRY_S)
                    continue
                self._note(waiting)
                if waiting is not None:
                    shortest_s, longest_s = PAUSE_S
                    await asyncio.sleep(min(longest_s, max(shortest_s, 4 * (time.monotonic() - begin))))
        finally:
            await self._link.close()

    async def _pass(self) -> str | None:
        """Offer each batch once; return why one of them has to wait, None if none has."""
        behind, problem = 0, None
        while batches := await self._spool.oldest(behind):
            stored = []
            for batch in batches:
                left = await self._store(batch)
                if not left:
                    stored.append(batch.number)
                    self._waiting_since.pop(batch.number, None)
                    continue
                problem = left.problem
                self._waiting_since.setdefault(batch.number, time.monotonic())
                if len(left) < batch.rows:
                    await self._spool.keep(batch.number, left.readings, left.quarantined, left.states)
            if stored:
                await self._spool.remove(stored)
            behind = batches[-1].number
        return problem

    async def _store(self, batch: Spooled) -> Leftover:
        since = self._waiting_since.get(batch.number)
        insisting = since is not None and time.monotonic() - since >= self._set_aside_s
        rest = await self._followed(batch)
        while (left := await self._write(self._link, rest, live=False, insisting=insisting)) is None:
            await self._database.wait_up(None)
        return left

    async def _followed(self, batch: Spooled) -> Leftover:
        """Return the batch after what was deleted and renamed since it was spooled."""
        while True:
            try:
                readings, states = await self._link.followed(batch.readings, batch.states, batch.spooled_us)
            except DATABASE_AWAY as error:
                self._database.note_away(error)
                await self._database.wait_up(None)
            else:
                return Leftover(readings, batch.quarantined, states)

    def _note(self, problem: str | None) -> None:
        if problem is not None and self.problem is None:
            log.warning("readings_set_aside", batches=self._spool.batches, problem=problem)
        elif problem is None and self.problem is not None:
            log.info("readings_set_aside_are_stored")
        self.problem = problem
