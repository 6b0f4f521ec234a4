"""What happens to databases happens here, under load: nothing acknowledged is lost, nothing is stored twice."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from storage.embedded import EmbeddedPostgres
from storage.engine import RawConnection
from storage.settings import StorageSettings
from storage.store import Store
from tests.support.debian_postgres import debian_binaries
from tests.support.postgres import TestServer, url_of
from tests.support.proxy import FaultProxy, fault_proxy
from tests.support.storage_load import DEVICES, Load, load_on
from tests.support.waiting import wait_until

QUICK = {"write_timeout_s": 1.0, "connect_timeout_s": 1.0, "spool_after_s": 0.3}
BLACK_HOLES_S = [pytest.param(4.0, id="4 s"), pytest.param(30.0, id="30 s", marks=pytest.mark.minutes)]
KILLS = 2


@pytest.fixture(params=["embedded", "debian"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A server of the test's own, durable as in production: the wheel's 18, or Debian's."""
    binaries = debian_binaries() if request.param == "debian" else None
    server = EmbeddedPostgres(tmp_path / "pg", {"shared_buffers": "32MB"}, binaries)
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def proxy(postgres_server: TestServer) -> AsyncIterator[FaultProxy]:
    async with fault_proxy(postgres_server.postgres.data_dir / ".s.PGSQL.5432") as proxy:
        yield proxy


def through(proxy: FaultProxy, url: str) -> str:
    return f"postgresql://postgres@127.0.0.1:{proxy.port}/{url.partition('?')[0].rpartition('/')[2]}"


async def started(url: str, data_dir: Path, **settings: object) -> Store:
    store = Store(StorageSettings.model_validate({"database_url": url, **QUICK, **settings}), data_dir)
    await store.start()
    return store


def fill(ballast: Path, step_bytes: int) -> None:
    """Write until the disk is full."""
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(b"\0" * step_bytes):
            pass


async def more(load: Load, messages: int = 100) -> None:
    """Wait until so many more messages were acknowledged."""
    target = load.acknowledged + messages
    await wait_until(lambda: load.acknowledged >= target, 30)


async def test_killed_postmaster(server: EmbeddedPostgres, tmp_path: Path) -> None:
    store = await started(server.url, tmp_path)
    async with load_on(store) as load:
        for _ in range(KILLS):
            await more(load)
            server.kill()
            await wait_until(lambda: store.spool.batches > 0)
            await more(load)
            await asyncio.to_thread(server.start)
            await wait_until(lambda: store.health()["ok"], 30)
    await load.settled()
    await load.verify(server.url)
    await store.close()
    assert store.counters.batches_spooled > 0


async def test_immediate_restart(server: EmbeddedPostgres, tmp_path: Path) -> None:
    store = await started(server.url, tmp_path)
    async with load_on(store) as load:
        for _ in range(KILLS):
            await more(load)
            server.stop_immediately()
            await asyncio.to_thread(server.start)
            await more(load)
    await load.settled()
    await load.verify(server.url)
    await store.close()


async def test_the_store_starts_its_own_server_again(tmp_path: Path) -> None:
    store = await started("embedded", tmp_path)
    await wait_until(lambda: store.health()["ok"], 20)
    async with load_on(store) as load:
        await more(load)
        pid = int((tmp_path / "postgres" / "cluster" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        await wait_until(lambda: not store.health()["ok"])
        await wait_until(lambda: store.health()["ok"], 20)
        await more(load)
    await load.settled()
    await load.verify(f"postgresql://postgres@/postgres?host={tmp_path}/postgres")
    await store.close()


async def test_terminated_backends(store: Store, sql: RawConnection, database_url: str) -> None:
    async with load_on(store) as load:
        for _ in range(8):
            await more(load, 50)
            await sql.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'telemetry-hub' AND datname = current_database()"
            )
    await load.settled()
    await load.verify(database_url)
    assert store.counters.failures > 0


@pytest.mark.parametrize("black_hole_s", BLACK_HOLES_S)
async def test_black_hole(proxy: FaultProxy, database_url: str, tmp_path: Path, black_hole_s: float) -> None:
    """Accepted, never answered, never reset: only our deadlines end a call. Receipts keep coming from the spool."""
    store = await started(through(proxy, database_url), tmp_path, pending_rows=50_000)
    loop = asyncio.get_running_loop()
    async with load_on(store) as load:
        await more(load)
        proxy.black_hole()
        end = loop.time() + black_hole_s
        offered = load.offered
        await wait_until(lambda: not store.health()["ok"])
        await wait_until(lambda: load.acknowledged >= offered)
        while loop.time() < end:
            await more(load)
        proxy.forward()
        await wait_until(lambda: store.health()["ok"], 30)
        await more(load)
    await load.settled()
    await load.verify(database_url)
    await store.close()
    assert load.most_pending <= 50_000 + DEVICES


async def test_resets_and_a_closed_port(proxy: FaultProxy, database_url: str, tmp_path: Path) -> None:
    store = await started(through(proxy, database_url), tmp_path)
    async with load_on(store) as load:
        for _ in range(5):
            await more(load, 30)
            await proxy.cut()
        await more(load)
        await proxy.refuse()
        await wait_until(lambda: store.spool.batches > 0)
        await proxy.start()
        await wait_until(lambda: store.health()["ok"], 15)
    await load.settled()
    await load.verify(database_url)
    await store.close()


async def test_read_only(sql: RawConnection, database_url: str, tmp_path: Path) -> None:
    name = await sql.fetchval("SELECT current_database()")
    kick = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'telemetry-hub' AND datname = current_database()"
    )
    store = await started(database_url, tmp_path)
    async with load_on(store) as load:
        await more(load)
        await sql.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        await sql.execute(kick)
        await wait_until(lambda: store.spool.batches > 3)
        await more(load)
        assert "read-only" in str(store.health()["detail"])
        await sql.execute("SET default_transaction_read_only = off")
        await sql.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        await sql.execute(kick)
    await load.settled()
    await load.verify(database_url)
    await store.close()


async def test_a_full_spool_holds_publishers_back_and_memory_stays_bounded(
    proxy: FaultProxy, database_url: str, tmp_path: Path
) -> None:
    store = await started(through(proxy, database_url), tmp_path, spool_bytes=20_000, pending_rows=2_000)
    async with load_on(store) as load:
        await more(load)
        await proxy.refuse()
        await wait_until(lambda: store.full and store.spool.problem, 20)
        held = load.offered
        assert not store.health()["ok"]
        assert "full" in str(store.health()["detail"])
        await proxy.start()
        await wait_until(lambda: load.offered > held + 100, 20)
    await load.settled()
    await load.verify(database_url)
    await store.close()
    assert load.most_pending <= 2_000 + DEVICES


_DOOMED_HUB = """
import asyncio, json, sys
from pathlib import Path
from hub.observe.logs import configure_logs
from storage.settings import StorageSettings
from storage.store import Store
from tests.support.storage_load import load_on
from tests.support.waiting import wait_until

configure_logs()  # stdout is for the answer

async def main():
    url = "postgresql://postgres@127.0.0.1:9/nowhere"
    store = Store(StorageSettings(database_url=url, spool_after_s=0.1), Path(sys.argv[1]))
    await store.start()
    async with load_on(store) as load:
        await wait_until(lambda: load.acknowledged > 200)
        print(json.dumps({"acknowledged": load.acknowledged}), flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_the_backlog_survives_a_killed_hub(database_url: str, sql: RawConnection, tmp_path: Path) -> None:
    doomed = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _DOOMED_HUB, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert doomed.stdout is not None
    acknowledged = json.loads(await doomed.stdout.readline())["acknowledged"]
    doomed.kill()
    await doomed.wait()
    store = await started(database_url, tmp_path)
    await wait_until(lambda: store.spool.batches == 0, 20)
    await store.close()

    stored = await sql.fetchval("SELECT count(*) FROM readings")
    assert stored == await sql.fetchval("SELECT count(DISTINCT (series_id, ts)) FROM readings")
    assert stored >= acknowledged * DEVICES


async def test_a_full_disk(server: EmbeddedPostgres, tmpfs: Path, tmp_path: Path) -> None:
    """Leaves rest in a tablespace on a small tmpfs; when it is full, batches go to the spool until there is room."""
    (tmpfs / "space").mkdir()
    server_user = server.cluster.stat()
    os.chown(tmpfs / "space", server_user.st_uid, server_user.st_gid)
    admin = await asyncpg.connect(server.url)
    await admin.execute(f"CREATE TABLESPACE small LOCATION '{tmpfs / 'space'}'")
    await admin.execute("CREATE DATABASE small TABLESPACE small")
    await admin.close()
    url = url_of(server.url, "small")
    store = await started(url, tmp_path)
    await wait_until(lambda: store.health()["ok"], 20)
    ballast = tmpfs / "ballast"
    async with load_on(store) as load:
        await more(load)
        fill(ballast, 65536)
        await wait_until(lambda: store.spool.batches > 3, 30)
        assert "DiskFull" in str(store.health()["detail"])
        await more(load)
        ballast.unlink()
    await load.settled()
    await load.verify(url)
    await store.close()


async def test_a_full_disk_under_the_spool(proxy: FaultProxy, database_url: str, tmpfs: Path) -> None:
    store = await started(through(proxy, database_url), tmpfs / "hub", pending_rows=2_000)
    ballast = tmpfs / "ballast"
    async with load_on(store) as load:
        await more(load)
        await proxy.refuse()
        fill(ballast, 4096)
        await wait_until(lambda: store.full and store.spool.problem, 20)
        ballast.unlink()
        await wait_until(lambda: store.spool.problem is None, 20)
        await proxy.start()
    await load.settled()
    await load.verify(database_url)
    await store.close()
