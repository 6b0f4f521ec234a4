"""A role that may not make tables: partitions are made ahead by the owner."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from storage.ahead import make_ahead
from storage.engine import make_engine
from storage.reading import Reading
from storage.settings import StorageSettings
from storage.store import Store
from tests.support.waiting import wait_until

DAY_US = 86_400_000_000


@asynccontextmanager
async def small_role(database_url: str) -> AsyncIterator[tuple[str, "asyncpg.Connection[asyncpg.Record]"]]:
    """A role for which partitions are made ten days ahead: the database's URL for it, and its owner's connection."""
    role = f"small_{database_url.partition('@/test_')[2][:12]}"
    admin = await asyncpg.connect(database_url)
    await admin.execute(
        f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA public TO {role};"
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};"
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}"
    )
    engine = make_engine(database_url, StorageSettings())
    await make_ahead(engine, StorageSettings(), timedelta(days=10))
    await engine.dispose()
    yield database_url.replace("postgres@", f"{role}@"), admin
    await admin.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
    await admin.close()


async def test_it_runs_on_partitions_made_ahead_and_says_when_they_end(database_url: str, tmp_path: Path) -> None:
    async with small_role(database_url) as (url, admin):
        store = Store(StorageSettings(database_url=url), tmp_path / "hub")
        await store.start()
        await asyncio.wait_for(store.write([Reading("d", "m", time.time_ns() // 1000, 1.5)]), 20)
        await wait_until(lambda: store.maintenance.rounds, 20)
        assert store.health()["ok"], store.health()["detail"]
        await store.close()

        far = Store(StorageSettings(database_url=url, partitions_ahead=60), tmp_path / "hub")
        await far.start()
        await wait_until(lambda: far.maintenance.rounds, 20)
        assert "may not make more: run `telemetry-hub migrate --ahead" in str(far.health()["detail"])
        await far.close()

        assert 1.5 == await admin.fetchval("SELECT value FROM readings")


@pytest.mark.parametrize("spool_bytes", [1 << 30, 0])
async def test_readings_whose_partition_cannot_be_made_go_to_quarantine_with_the_reason(
    database_url: str, tmp_path: Path, spool_bytes: int
) -> None:
    """Numbers and texts of more old times than a batch may make partitions; the others are stored."""
    now_us = time.time_ns() // 1000
    old: list[Reading] = []
    for number in range(1, 21):
        time_us = now_us - 40 * number * DAY_US
        old += [Reading("old", "number", time_us, 1.0), Reading("old", "text", time_us, "x")]
    async with small_role(database_url) as (url, admin):
        settings = StorageSettings(database_url=url, spool_bytes=spool_bytes, set_aside_s=1.0, partitions_a_batch=5)
        store = Store(settings, tmp_path / "hub")
        await store.start()
        try:
            await asyncio.wait_for(store.write([*old, Reading("good", "m", now_us, 1.5)]), 30)
            await wait_until(lambda: store.spool.batches == 0 and store.health()["ok"], 60)
        finally:
            await store.close()

        assert 1.5 == await admin.fetchval("SELECT value FROM readings")
        refused = await admin.fetch("SELECT reason, detail FROM quarantine")
        assert ["unwritable"] * 40 == [row["reason"] for row in refused]
        assert all("InsufficientPrivilegeError" in row["detail"] for row in refused)
