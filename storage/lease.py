"""The connection of one who writes: kept as long as it works, given back after each turn where they are few.

Not for use by two tasks. What is done over the connection is the holder's business (`link`).
"""

import asyncio
import time
from contextlib import AbstractAsyncContextManager
from typing import Final

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.database import Database
from storage.engine import RawConnection, lend

TURN_S: Final = 0.05
LONGEST_S: Final = 20.0


class Lease:
    """`take` before each piece of work; then `end_turn` after a success and `drop` after an error."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._context: AbstractAsyncContextManager[RawConnection] | None = None
        self._engine: AsyncEngine | None = None
        self._busy = False
        self.connection: RawConnection | None = None
        database.on_division(self._let_go)

    async def take(self) -> RawConnection:
        """Return the connection, another one than before if that is gone; raises one of DATABASE_AWAY.

        Where the server allows no more, this waits for the turns of the others.
        """
        self._busy = True
        patience_s = time.monotonic() + LONGEST_S
        while self.connection is None:
            self._engine = self._database.writers
            context = lend(self._engine)
            try:
                self.connection = await context.__aenter__()
            except asyncpg.TooManyConnectionsError:
                if not self._database.short_of_connections or time.monotonic() > patience_s:
                    raise
                await asyncio.sleep(TURN_S)
            else:
                self._context = context
        return self.connection

    async def end_turn(self) -> None:
        self._busy = False
        if self._database.limited is not None:
            await self.close()

    async def drop(self, error: BaseException) -> None:
        """Throw the connection away: nobody knows its state."""
        context, self._context, self.connection, self._busy = self._context, None, None, False
        if context is not None:
            await context.__aexit__(type(error), error, error.__traceback__)

    async def close(self) -> None:
        context, connection = self._context, self.connection
        self._context = self.connection = None
        if context is not None and connection is not None:
            if self._engine is not self._database.writers:
                connection.terminate()  # its pool is no more
            await context.__aexit__(None, None, None)

    async def _let_go(self) -> None:
        if not self._busy:
            await self.close()
