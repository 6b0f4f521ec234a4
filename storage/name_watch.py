"""Tells this process of changes of names (`changes`) within a second, so that its memory forgets what is gone.

Asked for, not listened for: a LISTEN would hold a connection of its own, and is lost behind a pooler. What is *stored* does
not depend on it: each batch looks for itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from storage.changes import GENERATION, Change, read_changes
from storage.database import Database
from storage.engine import DATABASE_AWAY, end, lend

log = structlog.get_logger(__name__)

POLL_S: Final = 0.5
TOLD_S: Final = 2 * POLL_S
"""Within this all running hubs know of a change."""

Listener = Callable[[Sequence[Change]], Awaitable[None]]
"""May raise one of DATABASE_AWAY: it is called again."""


class NameWatch:
    """`listen` before `start`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners: list[Listener] = []
        self._seen: int | None = None
        self._task: asyncio.Task[None] | None = None

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def start(self) -> None:
        self._task = asyncio.create_task(self._watch(), name="storage names")

    async def close(self) -> None:
        if self._task is not None:
            await end([self._task])

    async def _watch(self) -> None:
        while True:
            await self._database.wait_up(None)
            try:
                await self._look()
            except DATABASE_AWAY as error:
                log.debug("names_later", reason=str(error))
            await asyncio.sleep(POLL_S)

    async def _look(self) -> None:
        async with lend(self._database.queries) as connection:
            newest: int = await connection.fetchval(GENERATION)
            if self._seen is None or newest < self._seen:
                self._seen = newest  # of the start, or of another database
            changes = await read_changes(connection, self._seen) if newest > self._seen else []
        if changes:
            for listener in self._listeners:
                await listener(changes)
            self._seen = changes[-1].id
