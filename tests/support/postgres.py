"""A real Postgres for tests: one embedded server a session, a fresh database a test, copied from a migrated template.

The session's server runs without fsync: its tests are about behaviour. Tests that break a server on purpose start their
own with `EmbeddedPostgres`, durable as in production.
"""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from storage.embedded import EmbeddedPostgres
from storage.engine import make_engine
from storage.migrate import migrate
from storage.settings import StorageSettings

TEMPLATE = "telemetry_template"
FAST = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "64MB", "max_connections": "100"}


def url_of(server_url: str, database: str) -> str:
    """Return the URL of another database on the same server."""
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{database}"))


class TestServer:
    """The session's server and its template."""

    __test__ = False

    def __init__(self, data_dir: Path, binaries: Path | None = None) -> None:
        self.postgres = EmbeddedPostgres(data_dir, FAST, binaries)
        self.url = self.postgres.start()
        self._template_ready = False

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    @asynccontextmanager
    async def database(self, *, migrated: bool = True) -> AsyncIterator[str]:
        """Lend the URL of a fresh database."""
        if migrated and not self._template_ready:
            await self._execute(f"CREATE DATABASE {TEMPLATE}")
            engine = make_engine(url_of(self.url, TEMPLATE), StorageSettings())
            await migrate(engine)
            await engine.dispose()
            self._template_ready = True
        name = f"test_{uuid.uuid4().hex[:12]}"
        template = TEMPLATE if migrated else "template1"
        await self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield url_of(self.url, name)
        finally:
            await self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self) -> None:
        self.postgres.stop()
