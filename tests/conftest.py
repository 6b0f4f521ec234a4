"""Fixtures that every tier shares: a real Postgres."""

from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from storage.engine import RawConnection
from tests.support.postgres import TestServer


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    """The embedded Postgres of this test session."""
    server = TestServer(tmp_path_factory.mktemp("pg"))
    yield server
    server.stop()


@pytest.fixture
async def database_url(postgres_server: TestServer) -> AsyncIterator[str]:
    """The URL of a fresh, migrated database."""
    async with postgres_server.database() as url:
        yield url


@pytest.fixture
async def empty_database_url(postgres_server: TestServer) -> AsyncIterator[str]:
    """The URL of a fresh database without any table."""
    async with postgres_server.database(migrated=False) as url:
        yield url


@pytest.fixture
async def sql(database_url: str) -> AsyncIterator[RawConnection]:
    """A connection of the test's own, to look at the truth."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()
