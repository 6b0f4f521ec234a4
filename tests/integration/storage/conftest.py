"""Fixtures of the storage tests: a store on a fresh database, and SQL beside it."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from storage.engine import RawConnection
from storage.settings import StorageSettings
from storage.store import Store
from tests.support.postgres import TestServer


@pytest.fixture
def postgres_server_url(postgres_server: TestServer) -> str:
    return postgres_server.url


@pytest.fixture
async def sql(database_url: str) -> AsyncIterator[RawConnection]:
    """A connection of the test's own, to look at the truth."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def store(database_url: str, tmp_path: Path) -> AsyncIterator[Store]:
    """A running store with default settings."""
    store = Store(StorageSettings(database_url=database_url), tmp_path / "hub")
    await store.start()
    yield store
    await store.close()
