"""The database as this process sees it: its engines, whether it answers, and the embedded server where there is one.

A breaker in three states. *Up*: writers use it. *Away*: somebody's call failed; writers leave it alone, and the keeper
(one task) tries again with jittered back-off until a trial call succeeds. Then it counts as up, *on trial* until a
batch was really written: a disk that is full answers a SELECT, so only `note_ok` ends the outage (`away_since_s`).

Writers have an engine of their own: slow queries cannot take their connections. Where the server allows fewer
connections than both want, they share what there is, at least one each, and are `limited`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.backoff import Backoff
from storage.clock import DatabaseClock
from storage.diagnosis import Diagnosis, diagnose
from storage.embedded import STOP_DEADLINE_S, EmbeddedPostgres
from storage.engine import DATABASE_AWAY, EMBEDDED, Connector, end, lend
from storage.errors import PoolerError, StorageError
from storage.revision import is_newest
from storage.server import look
from storage.settings import StorageSettings

log = structlog.get_logger(__name__)

REMIND_S: Final = 180.0
"""How often the log repeats why the database cannot be used."""
SPARE_WRITERS: Final = 2
"""Connections of the writers' engine beside the writers': the spool's drain and the keeper."""
NOT_YET: Final = Diagnosis("not connected yet", "")


class Database:
    """One database; raises DatabaseSettingsError at once when its URL cannot be used."""

    def __init__(self, settings: StorageSettings, data_dir: Path) -> None:
        self._settings = settings
        self._embedded: EmbeddedPostgres | None = None
        self.clock = DatabaseClock()
        if settings.database_url == EMBEDDED:
            self._embedded = EmbeddedPostgres(data_dir / "postgres")
        self._connector = Connector(self.url, settings, self._note_refused)
        self._writers: AsyncEngine | None = None
        self._queries: AsyncEngine | None = None
        self._keeps_schema = True
        self._up = asyncio.Event()
        self._attention = asyncio.Event()
        self._attention.set()
        self._tried = asyncio.Event()
        self._backoff = Backoff()
        self._keeper: asyncio.Task[None] | None = None
        self._told: dict[tuple[str, str], float] = {}
        self._on_trial = False
        self._refused_at: int | None = None
        self._holders: list[Callable[[], Awaitable[None]]] = []
        self.limited: int | None = None
        """The number of connections that the server allows us, where that is fewer than we want."""
        self.away_since_s: float | None = time.monotonic()
        self.diagnosis: Diagnosis | None = NOT_YET

    @property
    def url(self) -> str:
        """The address that connections go to; it may hold a password."""
        return self._embedded.url if self._embedded else self._settings.database_url

    @property
    def embedded(self) -> bool:
        """Whether the server is our own."""
        return self._embedded is not None

    @property
    def up(self) -> bool:
        return self._up.is_set()

    @property
    def problem(self) -> str | None:
        """Why it cannot be used, with the remedy, in one line; None when it can."""
        return None if self.diagnosis is None else str(self.diagnosis)

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

    @property
    def short_of_connections(self) -> bool:
        """Whether a refused connection means waiting for one of ours, and not that the server is away."""
        return self.limited is not None or self._refused_at is not None

    def on_division(self, release: Callable[[], Awaitable[None]]) -> None:
        """Register one who keeps a connection, to be asked to let it go when connections are divided anew."""
        self._holders.append(release)

    def start(self) -> None:
        self._keeper = asyncio.create_task(self._keep(), name="storage database keeper")
        self._keeper.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Make a programming error visible: the task ends before it is cancelled only by one, or by a pooler."""
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, PoolerError):
            self.diagnosis = Diagnosis(f"{task.get_name()} ended: {type(error).__name__}: {error}", "")
            self._tried.set()
            log.error("storage_task_ended", task=task.get_name(), exc_info=error)

    async def connect(self) -> None:
        """Make one attempt, for commands that want an answer now, and leave the schema as it is.

        Raises what stands in the way.
        """
        self._keeps_schema = False
        await self._try()
        self._attention.clear()
        self._up.set()
        self.note_ok()

    async def wait_tried(self, patience_s: float) -> bool:
        """Return True once the first attempt has an outcome, False when the patience ends before.

        Raises PoolerError: no later attempt would end otherwise, and until then readings would be spooled for nothing.
        """
        try:
            async with asyncio.timeout(patience_s):
                await self._tried.wait()
        except TimeoutError:
            return False
        if self._keeper is not None and self._keeper.done():
            await self._keeper
        return True

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
            self.diagnosis = None
            self._on_trial = False
            self._told.clear()
            self._backoff.reset()

    def note_away(self, error: BaseException) -> None:
        """A call failed for the server's sake."""
        if self.away_since_s is None:
            self.away_since_s = time.monotonic()
        self._tell(error)
        self._on_trial = True
        self._up.clear()
        self._attention.set()

    def _tell(self, error: BaseException) -> None:
        """Keep for people what is wrong, and log it: each kind of problem at once, and again every few minutes."""
        self.diagnosis = diagnose(error)
        kind = (type(error).__name__, self.diagnosis.remedy)
        now_s = time.monotonic()
        if now_s - self._told.get(kind, -REMIND_S) >= REMIND_S:
            self._told[kind] = now_s
            since_s = round(now_s - self.away_since_s, 1) if self.away_since_s is not None else 0.0
            log.warning("database_away", problem=self.diagnosis.problem, remedy=self.diagnosis.remedy, for_s=since_s)

    def _note_refused(self, open_connections: int) -> None:
        """The server allows no more than those that are open; the keeper divides them anew."""
        if self.limited is None or open_connections < self.limited:
            self._refused_at = open_connections
            self._attention.set()

    async def close(self, patience_s: float = STOP_DEADLINE_S) -> None:
        """Disconnect, and stop the embedded server, orderly within the patience; nothing waits for an answer."""
        if self._keeper is not None:
            await end([self._keeper])
        await self._connector.close()
        await self._dispose()
        if self._embedded is not None:
            await asyncio.to_thread(self._embedded.stop, patience_s)

    async def _dispose(self) -> None:
        for engine in {self._writers, self._queries}:
            if engine is not None:
                await engine.dispose()

    async def _keep(self) -> None:
        while True:
            await self._attention.wait()
            if self._refused_at is not None:
                await self._divide(self._refused_at)
                self._refused_at = None
            if self._up.is_set():
                self._attention.clear()
                continue
            try:
                await self._try()
            except (*DATABASE_AWAY, StorageError) as error:
                self._tell(error)
                if isinstance(error, PoolerError) and not self._tried.is_set():
                    self._tried.set()
                    raise
            else:
                self._attention.clear()
                self._up.set()
                if not self._on_trial:
                    self.note_ok()
            self._tried.set()
            # After a success too: a server that answers and refuses every batch is not asked in a tight loop.
            await asyncio.sleep(self._backoff.next_s() if self.away_since_s is not None else 0)

    async def _try(self) -> None:
        """Make one attempt at a server that answers, with our schema; raises what stands in the way."""
        if self._embedded is not None and not self._embedded.running:
            await asyncio.to_thread(self._embedded.start)
        allowed = None
        if self._embedded is None:
            server = await look(self._connector)
            allowed = None if server.room is None else server.room + self._connector.open_connections
        await self._divide(allowed)
        async with lend(self.writers) as connection:
            await self.clock.measure(connection)
            # Each time: the database may have been replaced or emptied while it was away.
            if not self._keeps_schema or await is_newest(connection):
                return
        # Alembic takes long to import, and most starts do not need it.
        from storage.migrate import migrate

        log.info("schema_migrated", revision=await migrate(self.writers))

    async def _divide(self, allowed: int | None) -> None:
        """Share the connections between writers and queries; those of another division are closed when they are idle."""
        writers, queries = self._settings.writers + SPARE_WRITERS, self._settings.query_connections
        limited = None if allowed is None or allowed >= writers + queries else max(allowed, 1)
        if self._writers is not None and limited == self.limited:
            return
        if limited is not None:
            log.warning("connections_limited", allowed=limited, wanted=writers + queries)
            queries = max(1, limited * queries // (writers + queries))
            writers = max(1, limited - queries)
        self.limited = limited
        await self._dispose()
        self._writers = self._connector.engine(writers)
        self._queries = self._writers if limited == 1 else self._connector.engine(queries)
        for release in self._holders:
            await release()
