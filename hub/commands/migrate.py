"""`telemetry-hub migrate`: bring the database's schema to what this program knows, and stop.

The hub does the same at start. This is for those who migrate before they roll out, with a login that may create tables.
"""

import asyncio
from datetime import timedelta

from hub.errors import HubError
from hub.settings.model import HubSettings
from storage.ahead import make_ahead
from storage.diagnosis import diagnose
from storage.embedded import EmbeddedPostgres
from storage.engine import DATABASE_AWAY, EMBEDDED, make_engine
from storage.migrate import migrate


def run(settings: HubSettings, ahead: timedelta | None = None) -> str:
    """Migrate, make partitions ahead where asked, and return the revision; HubError when there is no way to the database."""
    if settings.storage.database_url != EMBEDDED:
        return asyncio.run(_migrate(settings, settings.storage.database_url, ahead))
    postgres = EmbeddedPostgres(settings.data_dir / "postgres")
    try:
        return asyncio.run(_migrate(settings, postgres.start(), ahead))
    finally:
        postgres.stop()


async def _migrate(settings: HubSettings, database_url: str, ahead: timedelta | None) -> str:
    engine = make_engine(database_url, settings.storage, connections=1)
    try:
        revision = await migrate(engine)
        if ahead is not None:
            await make_ahead(engine, settings.storage, ahead)
    except DATABASE_AWAY as error:
        raise HubError(f"storage.database_url: the database cannot be migrated: {diagnose(error)}") from error
    else:
        return revision
    finally:
        await engine.dispose()
