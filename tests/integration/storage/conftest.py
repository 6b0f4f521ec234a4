"""Fixtures of the storage tests: a store on a fresh database, and SQL beside it."""

import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from storage.settings import StorageSettings
from storage.store import Store
from tests.support.postgres import TestServer
from tests.support.programs import missing


@pytest.fixture
def postgres_server_url(postgres_server: TestServer) -> str:
    return postgres_server.url


@pytest.fixture
async def store(database_url: str, tmp_path: Path) -> AsyncIterator[Store]:
    """A running store with default settings."""
    store = Store(StorageSettings(database_url=database_url), tmp_path / "hub")
    await store.start()
    yield store
    await store.close()


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 MB in memory; only root can mount one."""
    place = tmp_path / "tmpfs"
    place.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=40m,mode=755", "tmpfs", str(place)],
        check=False,
        capture_output=True,
        text=True,
    )
    if mount.returncode != 0:
        raise missing(f"needs the right to mount a tmpfs: {mount.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)
