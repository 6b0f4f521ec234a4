"""Poolers and small roles: what works, and what is refused with a text."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import structlog

from storage.errors import PoolerError
from storage.reading import Reading
from storage.settings import StorageSettings
from storage.store import Store
from tests.support.pgbouncer import PgBouncer
from tests.support.proxy import FaultProxy
from tests.support.storage_load import load_on
from tests.support.waiting import wait_until

IGNORED = "synchronous_commit,statement_timeout,idle_in_transaction_session_timeout,timezone"
NOW_US = 1_700_000_000_000_000


@pytest.fixture
async def direct(database_url: str) -> AsyncIterator[FaultProxy]:
    """The server's own port."""
    proxy = FaultProxy(Path(database_url.partition("host=")[2]) / ".s.PGSQL.5432")
    await proxy.start()
    yield proxy
    await proxy.refuse()


def url_of(port: int, database_url: str, user: str = "postgres") -> str:
    database = database_url.partition("@/")[2].partition("?")[0]
    return f"postgresql://{user}:x@127.0.0.1:{port}/{database}"


async def crowd(url: str, stop: asyncio.Event) -> None:
    """Be another client of the pool."""
    connection = await asyncpg.connect(url, statement_cache_size=0)
    while not stop.is_set():
        await connection.execute("BEGIN; SELECT pg_sleep(0.002); COMMIT")
    await connection.close()


@pytest.mark.parametrize("settings", [{}, {"ignore_startup_parameters": IGNORED}], ids=["plain", "ignoring"])
@pytest.mark.parametrize("mode", ["transaction", "statement"])
@pytest.mark.parametrize("others", [0, 6])
async def test_a_pooler_that_forgets_sessions_is_refused_with_a_text(
    direct: FaultProxy, database_url: str, tmp_path: Path, settings: dict[str, str], mode: str, others: int
) -> None:
    if mode == "statement" and others:
        pytest.skip("the others use transactions")
    users = {"postgres": "x"}
    server = f"host=127.0.0.1 port={direct.port}"
    with PgBouncer(tmp_path / "pool", server, users, pool_mode=mode, **settings) as pool:
        url = url_of(pool.port, database_url)
        stop = asyncio.Event()
        crowds = [asyncio.create_task(crowd(url, stop)) for _ in range(others)]
        store = Store(StorageSettings(database_url=url), tmp_path / "hub")
        await store.start()

        with pytest.raises(PoolerError, match="transaction mode"):
            await store.tried(10)

        await store.close()
        stop.set()
        await asyncio.gather(*crowds)


async def test_a_pooler_in_session_mode_works(direct: FaultProxy, database_url: str, tmp_path: Path) -> None:
    server = f"host=127.0.0.1 port={direct.port}"
    with PgBouncer(tmp_path / "pool", server, {"postgres": "x"}, pool_mode="session", default_pool_size="20") as pool:
        store = Store(StorageSettings(database_url=url_of(pool.port, database_url)), tmp_path / "hub")
        await store.start()

        assert await store.tried(10) is None
        await asyncio.wait_for(store.write([Reading("d", "m", NOW_US, 1.0)]), 10)
        await wait_until(lambda: store.maintenance.rounds, 10)

        await store.close()


@pytest.mark.parametrize("allowed", [1, 2, 3])
async def test_few_allowed_connections_are_shared_and_do_not_read_as_away(
    database_url: str, tmp_path: Path, allowed: int, postgres_server_url: str
) -> None:
    role = f"few_{allowed}_{database_url.partition('@/test_')[2][:12]}"
    admin = await asyncpg.connect(database_url)
    await admin.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT {allowed}")
    await admin.execute(f"GRANT ALL ON SCHEMA public TO {role}; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    await admin.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}; GRANT postgres TO {role}")
    url = database_url.replace("postgres@", f"{role}@")
    with structlog.testing.capture_logs() as logs:
        store = Store(StorageSettings(database_url=url), tmp_path / "hub")
        await store.start()
        assert await store.tried(10) is None
        async with load_on(store) as load:
            await wait_until(lambda: load.acknowledged > 200, 30)
            devices = [device async for device in store.queries.devices()]
        await load.settled()
        health = store.health()
        await store.close()

    assert devices
    assert allowed == health["connections_allowed"]
    assert 0 == store.counters.batches_spooled
    events = [line["event"] for line in logs]
    assert 1 == events.count("connections_limited")
    assert "database_away" not in events
    await admin.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
    await admin.close()


async def test_connections_that_others_take_while_it_runs_do_not_read_as_away(
    database_url: str, tmp_path: Path
) -> None:
    role = f"taken_{database_url.partition('@/test_')[2][:12]}"
    admin = await asyncpg.connect(database_url)
    await admin.execute(f"CREATE ROLE {role} LOGIN SUPERUSER")
    url = database_url.replace("postgres@", f"{role}@")
    store = Store(StorageSettings(database_url=url), tmp_path / "hub")
    await store.start()
    assert await store.tried(10) is None
    await asyncio.wait_for(store.write([Reading("d", "m", NOW_US, 1.0)]), 10)
    used = await admin.fetchval("SELECT count(*) FROM pg_stat_activity WHERE usename = $1", role)
    # From now on the server allows what is open, and not one more.
    await admin.execute(f"ALTER ROLE {role} NOSUPERUSER CONNECTION LIMIT {used}; GRANT postgres TO {role}")

    with structlog.testing.capture_logs() as logs:
        async with load_on(store) as load:
            await wait_until(lambda: load.acknowledged > 200, 30)
        await load.settled()

    assert "database_away" not in [line["event"] for line in logs]
    await store.close()
    await admin.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
    await admin.close()
