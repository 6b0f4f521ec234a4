"""Bring the database's schema to what this program knows: Alembic, in the process, under an advisory lock.

Several hubs may start at once: the first migrates, the others wait and find nothing to do. Each upgrade is one
transaction. A database that a newer program migrated is refused.
"""

from pathlib import Path
from typing import Literal

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.errors import SchemaVersionError
from storage.schema import metadata

LOCK_MIGRATE = 0x7E1E_0001
"""Keys of the advisory locks begin with the same two bytes; `maintenance` has the others."""

NameKind = Literal["schema", "table", "column", "index", "unique_constraint", "foreign_key_constraint"]


def include_name(name: str | None, kind: str, _parents: object) -> bool:
    """Hide from Alembic's comparison what is made at run time: the leaves of the partitioned tables."""
    return kind != "table" or name in metadata.tables or name is None


def alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    return config


def known_revision() -> str:
    """Return the newest revision that this program knows."""
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    assert head is not None  # noqa: S101 - the package holds migrations
    return head


def _run(connection: Connection, target: str) -> str:
    config = alembic_config()
    config.attributes["connection"] = connection
    script = ScriptDirectory.from_config(config)
    found = MigrationContext.configure(connection).get_current_revision()
    known = {revision.revision for revision in script.walk_revisions()}
    if found is not None and found not in known:
        raise SchemaVersionError(found, known_revision())
    if target == "base" or (found is not None and target != "head" and target < found):
        command.downgrade(config, target)
    else:
        command.upgrade(config, target)
    return MigrationContext.configure(connection).get_current_revision() or "base"


async def migrate(engine: AsyncEngine, target: str = "head") -> str:
    """Migrate to `target` ("head", "base" or a revision) and return the revision reached.

    Raises SchemaVersionError, or what the driver raises when the database is away.
    """
    async with engine.begin() as connection:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_MIGRATE})
        return await connection.run_sync(_run, target)


async def current_revision(engine: AsyncEngine) -> str | None:
    """Return the schema revision that the database holds, None for an empty one."""
    async with engine.connect() as connection:
        return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())
