"""The maintenance loop: a part that fails is counted, shown and tried again, and keeps nobody else from their work."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path

import asyncpg

from storage.embedded import EmbeddedPostgres
from storage.engine import RawConnection
from storage.partitions import instant
from storage.reading import Reading
from storage.settings import StorageSettings
from storage.store import Store
from tests.support.waiting import wait_until

PARTITIONS = 1_000
LEAVES = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'readings'::regclass"


async def test_failed_rounds_are_counted_and_shown_and_the_leaves_are_made_all_the_same(
    database_url: str, sql: RawConnection, tmp_path: Path
) -> None:
    await sql.execute("ALTER TABLE rollup_dirty RENAME TO mislaid")
    store = Store(StorageSettings(database_url=database_url, maintenance_every_s=0.01), tmp_path)
    await store.start()
    await wait_until(lambda: store.maintenance.failures >= 1)
    assert store.health()["ok"], "one failure is no reason for alarm"
    await wait_until(lambda: store.maintenance.failures >= 3, 30)

    assert await sql.fetchval(LEAVES) == 3
    assert "rollup_dirty" in str(store.health()["maintenance"])
    assert "maintenance fails" in str(store.health()["detail"])
    await store.write([Reading("d", "m", time.time_ns() // 1000, 1.0)])
    await sql.execute("ALTER TABLE mislaid RENAME TO rollup_dirty")
    await wait_until(lambda: store.maintenance.rounds >= 1, 30)
    assert store.health()["maintenance"] == ""
    assert store.health()["ok"]
    await store.close()


async def test_a_round_waits_for_nobody_when_another_hub_is_at_it(
    database_url: str, sql: RawConnection, tmp_path: Path
) -> None:
    await sql.execute("SELECT pg_advisory_lock($1)", 0x7E1E_0003)
    store = Store(StorageSettings(database_url=database_url, maintenance_every_s=3600.0), tmp_path)
    await store.start()
    await wait_until(lambda: store.health()["ok"])

    async with asyncio.timeout(20):
        assert await store.maintenance.round() is False
    await sql.execute("SELECT pg_advisory_unlock($1)", 0x7E1E_0003)
    async with asyncio.timeout(20):
        while not await store.maintenance.round():
            pass  # the store's own loop is at it
    assert store.maintenance.rounds >= 1
    await store.close()


async def test_late_readings_in_more_partitions_than_there_are_locks_are_rolled_up(tmp_path: Path) -> None:
    """A server with some 500 locks in all, and more partitions with late readings: each is two locks of a transaction."""
    few = {"max_locks_per_transaction": "10", "max_connections": "20", "max_prepared_transactions": "0", "fsync": "off"}
    server = EmbeddedPostgres(tmp_path / "pg", few)
    url = await asyncio.to_thread(server.start)
    hour_us = 3_600_000_000
    now_us = time.time_ns() // 1000
    settings = StorageSettings(database_url=url, partition_width=timedelta(hours=1), maintenance_every_s=3600.0)
    store = Store(settings, tmp_path / "hub")
    await store.start()
    await wait_until(lambda: store.maintenance.rounds >= 1, 30)
    sql = await asyncpg.connect(url)
    hours = [now_us - now_us % hour_us - (hour + 2) * hour_us for hour in range(PARTITIONS)]
    for number, start in enumerate(hours):
        bounds = f"FROM ('{instant(start).isoformat()}') TO ('{instant(start + hour_us).isoformat()}')"
        await sql.execute(f"CREATE TABLE by_hand_{number} PARTITION OF readings FOR VALUES {bounds}")
    for at in range(0, PARTITIONS, 100):
        await store.write([Reading("d", "m", start, 1.0) for start in hours[at : at + 100]])
    assert await sql.fetchval("SELECT count(*) FROM rollup_dirty") == PARTITIONS

    assert await store.maintenance.round()

    assert (
        await sql.fetchval("SELECT count(*) FROM rollup_dirty WHERE marks < (SELECT max(generation) FROM rollup_state)")
        == 0
    )
    assert await sql.fetchval("SELECT count(*) FROM rollup_minute") == PARTITIONS
    await sql.close()
    await store.close()
    await asyncio.to_thread(server.stop)


async def test_the_state_of_rollups_that_somebody_has_emptied_is_made_again(store: Store, sql: RawConnection) -> None:
    await wait_until(lambda: store.maintenance.rounds, 20)
    await sql.execute("TRUNCATE rollup_state")

    await store.write([Reading("d", "m", time.time_ns() // 1000 - 86_400_000_000, 1.0)])
    assert await store.maintenance.round()

    assert await sql.fetchval("SELECT count(*) FROM rollup_minute") == 1
