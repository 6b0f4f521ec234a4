"""The database is replaced, emptied or restored under the running hub: nothing acknowledged later is lost or mislabelled."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from storage.embedded import find_binaries
from storage.engine import RawConnection
from storage.reading import Reading
from storage.settings import StorageSettings
from storage.store import Store
from tests.support.postgres import TestServer
from tests.support.waiting import wait_until

NOW = time.time_ns() // 1000
OLD = [Reading("old", f"m{number}", NOW, 1.0) for number in range(3)]
NEW = [Reading("new", f"m{number}", NOW, 2.0) for number in range(3)]
EMPTIED = {
    "dropped schema": "DROP SCHEMA public CASCADE; CREATE SCHEMA public",
    "truncated": "TRUNCATE devices, series, readings, rollup_state, rollup_dirty RESTART IDENTITY CASCADE",
    "deleted": "DELETE FROM readings; DELETE FROM series; DELETE FROM devices",
}


@pytest.fixture
async def hub(database_url: str, tmp_path: Path) -> AsyncIterator[Store]:
    settings = StorageSettings(database_url=database_url, write_timeout_s=2.0, spool_after_s=0.2)
    store = Store(settings, tmp_path / "hub")
    await store.start()
    yield store
    await store.close()


async def look(url: str) -> set[tuple[str, str, float]]:
    """Return what is stored, by name."""
    sql = await asyncpg.connect(url)
    rows = await sql.fetch(
        "SELECT devices.name, metric, value FROM readings LEFT JOIN series ON series.id = series_id"
        " LEFT JOIN devices ON devices.id = device_id"
    )
    await sql.close()
    return {tuple(row) for row in rows}


def named(*readings: Reading) -> set[tuple[str, str, float]]:
    return {(one.device, one.metric, float(one.value)) for one in readings}


@pytest.fixture
async def admin(postgres_server: TestServer) -> AsyncIterator[RawConnection]:
    connection = await asyncpg.connect(postgres_server.url)
    yield connection
    await connection.close()


async def test_a_database_that_is_dropped_and_made_again_is_migrated_and_gets_what_was_spooled(
    hub: Store, database_url: str, admin: RawConnection
) -> None:
    name = urlsplit(database_url).path[1:]
    await hub.write([*OLD, *NEW])
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await asyncio.gather(*(hub.write([one._replace(time_us=NOW + 1)]) for one in NEW))
    assert hub.spool.batches > 0
    await admin.execute(f"CREATE DATABASE {name}")

    await wait_until(lambda: hub.health()["ok"] and hub.spool.batches == 0, 30)
    await hub.write([Reading("newest", "m", NOW, 3.0)])
    await wait_until(lambda: hub.health()["ok"] and hub.spool.batches == 0, 30)

    assert await look(database_url) == named(*NEW, Reading("newest", "m", NOW, 3.0))


@pytest.mark.parametrize("how", EMPTIED)
async def test_a_database_that_is_emptied_under_open_connections_gets_series_of_its_own(
    hub: Store, database_url: str, sql: RawConnection, how: str
) -> None:
    """Ids that are known here mean other series there, or none."""
    await hub.write([*OLD, *NEW])
    await sql.execute(EMPTIED[how])

    await hub.write([one._replace(time_us=NOW + 1) for one in reversed(NEW)])
    await hub.write([one._replace(time_us=NOW + 2) for one in OLD])
    await wait_until(lambda: hub.health()["ok"] and hub.spool.batches == 0, 30)

    assert await look(database_url) == named(*NEW, *OLD)
    assert await sql.fetchval("SELECT count(*) FROM readings") == 6


async def test_a_database_that_another_takes_the_place_of_is_noticed(
    hub: Store, database_url: str, admin: RawConnection, postgres_server: TestServer
) -> None:
    """A copy made before, as a restored backup is: it knows fewer series, and gives their ids to others."""
    name = urlsplit(database_url).path[1:]
    await hub.write(OLD)
    await wait_until(lambda: hub.maintenance.rounds >= 1)
    await hub.write([one._replace(time_us=NOW + 1) for one in NEW])
    async with postgres_server.database() as other_url:
        other = await asyncpg.connect(other_url)
        await other.execute("INSERT INTO devices (name) VALUES ('stranger')")
        await other.execute(
            "INSERT INTO series (device_id, metric, kind, unit) SELECT 1, 'm' || i, 'number', ''"
            " FROM generate_series(1, 9) AS i"
        )
        await other.close()
        spare = urlsplit(other_url).path[1:]
        kick = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY($1::text[])"
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await admin.fetch(kick, [name, spare])
        await wait_until_free(admin, name)
        await admin.execute(f"ALTER DATABASE {name} RENAME TO {name}_before")
        await admin.execute(f"ALTER DATABASE {spare} RENAME TO {name}")
        try:
            await hub.write([one._replace(time_us=NOW + 2) for one in (*NEW, *OLD)])
            await wait_until(lambda: hub.health()["ok"] and hub.spool.batches == 0, 30)

            assert await look(database_url) == named(*NEW, *OLD)
        finally:
            await admin.fetch(kick, [name, spare])
            await admin.execute(f"ALTER DATABASE {name} RENAME TO {spare}")
            await admin.execute(f"ALTER DATABASE {name}_before RENAME TO {name}")
            await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


async def wait_until_free(admin: RawConnection, name: str) -> None:
    async with asyncio.timeout(10):
        while await admin.fetchval("SELECT count(*) FROM pg_stat_activity WHERE datname = $1", name):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_restored_dump_of_an_older_state_mislabels_nothing(
    hub: Store, database_url: str, sql: RawConnection, tmp_path: Path
) -> None:
    """A dump is played back beside the running hub, whose connections it leaves alone; then another hub takes the ids."""
    await hub.write(OLD)
    await wait_until(lambda: hub.maintenance.rounds >= 1)
    url, binaries = urlsplit(database_url), find_binaries(tmp_path)
    place = ("-h", parse_qs(url.query)["host"][0], "-U", "postgres", "-d", url.path[1:])
    dump = str(tmp_path / "older.sql")
    await run(binaries / "pg_dump", *place, "-f", dump)
    await hub.write([one._replace(time_us=NOW + 1) for one in NEW])
    known = await sql.fetchval("SELECT max(id) FROM series")
    emptying = ("-c", EMPTIED["dropped schema"])
    await run(binaries / "psql", *place, "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction", *emptying, "-f", dump)
    await sql.execute("INSERT INTO devices (name) VALUES ('stranger')")
    await sql.execute(
        "INSERT INTO series (device_id, metric, kind, unit) SELECT devices.id, 'm' || i, 'number', ''"
        " FROM devices, generate_series(1, 9) AS i WHERE name = 'stranger'"
    )
    assert await sql.fetchval("SELECT max(id) FROM series") > known

    await hub.write([one._replace(time_us=NOW + 2) for one in (*NEW, *OLD)])
    await wait_until(lambda: hub.health()["ok"] and hub.spool.batches == 0, 30)

    assert await look(database_url) == named(*NEW, *OLD)


async def run(*command: str | Path) -> None:
    environment = os.environ | {"PGCONNECT_TIMEOUT": "10"}
    process = await asyncio.create_subprocess_exec(*map(str, command), env=environment, stderr=asyncio.subprocess.PIPE)
    _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
