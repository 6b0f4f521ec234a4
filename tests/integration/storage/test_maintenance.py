"""The maintenance loop: a part that fails is counted, shown and tried again, and keeps nobody else from their work."""

import asyncio
from pathlib import Path

from storage.engine import RawConnection
from storage.settings import StorageSettings
from storage.store import Store
from tests.support.waiting import wait_until

LEAVES = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'readings'::regclass"


async def test_failed_rounds_are_counted_and_shown_and_the_leaves_are_made_all_the_same(
    database_url: str, sql: RawConnection, tmp_path: Path
) -> None:
    await sql.execute("ALTER TABLE rollup_dirty RENAME TO mislaid")
    store = Store(StorageSettings(database_url=database_url, maintenance_every_s=0.01), tmp_path)
    await store.start()
    await wait_until(lambda: store.maintenance.failures >= 1)

    assert await sql.fetchval(LEAVES) == 3
    assert "rollup_dirty" in str(store.health()["maintenance"])
    assert store.health()["ok"], "readings are stored all the same"
    await sql.execute("ALTER TABLE mislaid RENAME TO rollup_dirty")
    await wait_until(lambda: store.maintenance.rounds >= 1)
    assert store.health()["maintenance"] == ""
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
    assert await store.maintenance.round() is True
    assert store.maintenance.rounds == 1
    await store.close()
