"""`telemetry-hub migrate`: bring the database's schema to what this program knows, and stop.

The hub does the same at start. This is for those who migrate before they roll out, with a login that may create tables.
"""

import asyncio

from hub.errors import HubError
from hub.settings.model import HubSettings
from storage.embedded import EmbeddedPostgres
from storage.engine import DATABASE_AWAY, EMBEDDED, make_engine
from storage.migrate import migrate


def run(settings: HubSettings) -> str:
    """Migrate and return the revision reached; HubError when the database cannot be reached."""
    if settings.storage.database_url != EMBEDDED:
        return asyncio.run(_migrate(settings, settings.storage.database_url))
    postgres = EmbeddedPostgres(settings.data_dir / "postgres")
    try:
        return asyncio.run(_migrate(settings, postgres.start()))
    finally:
        postgres.stop()


async def _migrate(settings: HubSettings, database_url: str) -> str:
    engine = make_engine(database_url, settings.storage, connections=1)
    try:
        return await migrate(engine)
    except DATABASE_AWAY as error:
        # The first line: what follows may repeat the statement.
        problem = f"{type(error).__name__}: {error}".splitlines()[0]
        raise HubError(f"storage.database_url: the database cannot be migrated: {problem}") from error
    finally:
        await engine.dispose()
