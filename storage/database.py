"""The database as this process sees it: its engine, whether it answers, and the embedded server where there is one.

`open()` may be called by anyone who found the connection broken: it starts the embedded server again if that has died,
and migrates once. It never retries; its callers have their own back-off.
"""

import asyncio
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from storage.embedded import EmbeddedPostgres
from storage.engine import EMBEDDED, checked_url, make_engine
from storage.migrate import migrate
from storage.settings import StorageSettings


class Database:
    """One database; raises DatabaseSettingsError at once when its URL cannot be used."""

    def __init__(self, settings: StorageSettings, data_dir: Path) -> None:
        self._settings = settings
        self._lock = asyncio.Lock()
        self._engine: AsyncEngine | None = None
        self._migrated = False
        self._embedded: EmbeddedPostgres | None = None
        if settings.database_url == EMBEDDED:
            self._embedded = EmbeddedPostgres(data_dir / "postgres")
        else:
            checked_url(settings.database_url)
        self.problem: str | None = "not connected yet"

    @property
    def up(self) -> bool:
        return self.problem is None

    async def open(self) -> AsyncEngine:
        """Return an engine on a migrated schema; raises what keeps it from that."""
        async with self._lock:
            if self._embedded is not None and not self._embedded.running:
                await asyncio.to_thread(self._embedded.start)
            if self._engine is None:
                url = self._embedded.url if self._embedded else self._settings.database_url
                self._engine = make_engine(url, self._settings)
            if not self._migrated:
                await migrate(self._engine)
                self._migrated = True
            return self._engine

    def note_up(self) -> None:
        self.problem = None

    def note_away(self, error: Exception) -> None:
        """Remember why the database does not answer, for people: one line, no address, no password."""
        self.problem = f"{type(error).__name__}: {error}".splitlines()[0][:300]

    async def close(self) -> None:
        async with self._lock:
            if self._engine is not None:
                await self._engine.dispose()
                self._engine = None
            if self._embedded is not None:
                await asyncio.to_thread(self._embedded.stop)
