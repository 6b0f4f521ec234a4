"""The database as this process sees it: its engines, whether it answers, and the embedded server where there is one.

A breaker in three states. *Up*: writers use it. *Away*: somebody's call failed; writers leave it alone, and the keeper
(one task) tries again with jittered back-off until a trial call succeeds. Then it counts as up, *on trial* until a
batch was really written: a disk that is full answers a SELECT, so only `note_ok` ends the outage (`away_since_s`).

Writers have an engine of their own: slow queries cannot take their connections.
"""

import asyncio
import time
from pathlib import Path

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.backoff import Backoff
from storage.clock import DatabaseClock
from storage.embedded import EmbeddedPostgres
from storage.engine import DATABASE_AWAY, EMBEDDED, checked_url, lend, make_engine
from storage.errors import StorageError
from storage.revision import is_newest
from storage.settings import StorageSettings

log = structlog.get_logger(__name__)


class Database:
    """One database; raises DatabaseSettingsError at once when its URL cannot be used."""

    def __init__(self, settings: StorageSettings, data_dir: Path) -> None:
        self._settings = settings
        self._embedded: EmbeddedPostgres | None = None
        self.clock = DatabaseClock()
        if settings.database_url == EMBEDDED:
            self._embedded = EmbeddedPostgres(data_dir / "postgres")
        else:
            checked_url(settings.database_url)
        self._writers: AsyncEngine | None = None
        self._queries: AsyncEngine | None = None
        self._keeps_schema = True
        self._up = asyncio.Event()
        self._away = asyncio.Event()
        self._away.set()
        self._backoff = Backoff()
        self._keeper: asyncio.Task[None] | None = None
        self.away_since_s: float | None = time.monotonic()
        self.problem: str | None = "not connected yet"

    @property
    def url(self) -> str:
        """The address that connections go to; it may hold a password."""
        return self._embedded.url if self._embedded else self._settings.database_url

    @property
    def up(self) -> bool:
        return self._up.is_set()

    @property
    def writers(self) -> AsyncEngine:
        """The writers' engine; only after `wait_up()` has returned True once."""
        assert self._writers is not None  # noqa: S101 - made before the first "up"
        return self._writers

    @property
    def queries(self) -> AsyncEngine:
        """The engine of queries and maintenance, under the same condition."""
        assert self._queries is not None  # noqa: S101 - made before the first "up"
        return self._queries

    def start(self) -> None:
        self._keeper = asyncio.create_task(self._keep(), name="storage database keeper")

    async def connect(self) -> None:
        """Make one attempt, for commands that want an answer now, and leave the schema as it is.

        Raises what stands in the way.
        """
        self._keeps_schema = False
        await self._try()
        self._away.clear()
        self._up.set()
        self.note_ok()

    async def wait_up(self, patience_s: float | None) -> bool:
        """Return True as soon as the database may be tried, False when the patience ends before."""
        if self._up.is_set() or (patience_s is not None and patience_s <= 0):
            return self._up.is_set()
        try:
            async with asyncio.timeout(patience_s):
                await self._up.wait()
        except TimeoutError:
            return False
        return True

    def note_ok(self) -> None:
        """A batch was committed: the outage, if there was one, is over."""
        if self.away_since_s is not None:
            log.info("database_up", after_s=round(time.monotonic() - self.away_since_s, 1))
            self.away_since_s = None
            self.problem = None
            self._backoff.reset()

    def note_away(self, error: BaseException) -> None:
        """A call failed for the server's sake. Kept for people: one line, no address, no password."""
        self.problem = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        if self.away_since_s is None:
            self.away_since_s = time.monotonic()
            log.warning("database_away", problem=self.problem)
        self._up.clear()
        self._away.set()

    async def close(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        for engine in (self._writers, self._queries):
            if engine is not None:
                await engine.dispose()
        if self._embedded is not None:
            await asyncio.to_thread(self._embedded.stop)

    async def _keep(self) -> None:
        while True:
            await self._away.wait()
            try:
                await self._try()
            except (*DATABASE_AWAY, StorageError) as error:
                self.problem = f"{type(error).__name__}: {error}".splitlines()[0][:300]
            else:
                self._away.clear()
                self._up.set()
                if self.problem == "not connected yet":
                    self.note_ok()
            # After a success too: a server that answers and refuses every batch is not asked in a tight loop.
            await asyncio.sleep(self._backoff.next_s() if self.away_since_s is not None else 0)

    async def _try(self) -> None:
        """Make one attempt at a server that answers, with our schema; raises what stands in the way."""
        if self._embedded is not None and not self._embedded.running:
            await asyncio.to_thread(self._embedded.start)
        if self._writers is None or self._queries is None:
            self._writers = make_engine(self.url, self._settings, connections=self._settings.writers + 2)
            self._queries = make_engine(self.url, self._settings, connections=self._settings.query_connections)
        async with lend(self._writers) as connection:
            await self.clock.measure(connection)
            # Each time: the database may have been replaced or emptied while it was away.
            if not self._keeps_schema or await is_newest(connection):
                return
        # Alembic takes long to import, and most starts do not need it.
        from storage.migrate import migrate

        await migrate(self._writers)
