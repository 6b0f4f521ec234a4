"""Migrations on a real server: they make the tables of `schema`, both ways, one hub at a time."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.engine import lend, make_engine
from storage.errors import SchemaVersionError
from storage.migrate import current_revision, include_name, known_revision, migrate
from storage.partitions import make_leaf
from storage.revision import is_newest, newest_revision
from storage.schema import metadata
from storage.settings import StorageSettings


@pytest.fixture
async def engine(empty_database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = make_engine(empty_database_url, StorageSettings())
    yield engine
    await engine.dispose()


async def differences(engine: AsyncEngine) -> list[object]:
    def compare(connection: Connection) -> list[object]:
        options = {"include_name": include_name, "compare_type": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    async with engine.connect() as connection:
        return await connection.run_sync(compare)


async def test_the_migrations_make_the_tables_of_the_schema_and_leaves_do_not_disturb(engine: AsyncEngine) -> None:
    await migrate(engine)
    async with lend(engine) as connection:
        await make_leaf(connection, "readings", 0, 86_400_000_000)

    assert await differences(engine) == []


async def test_upgrade_downgrade_upgrade(engine: AsyncEngine) -> None:
    assert await migrate(engine) == known_revision()
    assert await migrate(engine, "base") == "base"
    assert await current_revision(engine) is None
    assert await migrate(engine) == known_revision()
    assert await differences(engine) == []


async def test_whether_there_is_something_to_migrate_is_told_without_alembic(engine: AsyncEngine) -> None:
    assert newest_revision() == known_revision()
    for revision, expected in (("base", False), ("0001", False), ("head", True)):
        await migrate(engine, revision)
        async with lend(engine) as connection:
            assert await is_newest(connection) is expected


async def test_several_hubs_may_migrate_at_once(engine: AsyncEngine) -> None:
    reached = await asyncio.gather(*(migrate(engine) for _ in range(4)))

    assert set(reached) == {known_revision()}


async def test_a_schema_from_the_future_is_refused(engine: AsyncEngine) -> None:
    await migrate(engine)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(SchemaVersionError, match="9999"):
        await migrate(engine)
