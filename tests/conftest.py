"""What every tier shares: directories in memory, compiled modules, and a real Postgres."""

import logging
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
import structlog

from storage.engine import RawConnection
from tests.support.postgres import TestServer

IN_MEMORY = Path("/dev/shm")  # noqa: S108 - pytest makes a directory of its own in it, for this user only
MEMORY_BYTES = 4 << 30


def pytest_configure() -> None:
    """Let `tmp_path` lie in memory, where there is enough of it, and let the programs of the tests start quickly.

    Servers of the tests sync their files as in production, and on a disk that is most of what they do. What a test shows
    by killing a process does not depend on it: the system's memory outlives the process. And container images often
    forbid Python to keep compiled modules, which makes each start of a program a fifth longer, and there are hundreds.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # In the background of a shell's script; our programs would inherit it, and no test could interrupt them.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if os.access(IN_MEMORY, os.W_OK):
        free = min(shutil.disk_usage(IN_MEMORY).free, psutil.virtual_memory().available)
        if free > MEMORY_BYTES:
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(IN_MEMORY))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest, at random among themselves: so no worker has one left when the others are done.

    They are in one worker's share, too, and seldom is more than one whole system on the machine at a time.
    """
    items.sort(key=lambda item: "acceptance" not in item.path.parts)


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """Undo what a program that ran within this process has set up: its output is closed with its test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    if root.handlers != handlers:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()


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
