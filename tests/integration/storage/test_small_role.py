"""A role that may not make tables: partitions are made ahead by the owner."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path

import asyncpg

from storage.ahead import make_ahead
from storage.engine import make_engine
from storage.reading import Reading
from storage.settings import StorageSettings
from storage.store import Store
from tests.support.waiting import wait_until


async def test_it_runs_on_partitions_made_ahead_and_says_when_they_end(database_url: str, tmp_path: Path) -> None:
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
    url = database_url.replace("postgres@", f"{role}@")

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
    await admin.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
    await admin.close()
