"""The embedded Postgres survives what happens to it: kills, stale files, long paths, a dead owner."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from storage.embedded import EmbeddedPostgres
from storage.errors import EmbeddedPostgresError
from tests.support.waiting import wait_for


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path / "pg")
    yield server
    server.stop()


async def answer(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        value = await connection.fetchval("SELECT 42")
    finally:
        await connection.close()
    assert isinstance(value, int)
    return value


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_it_starts_stops_and_starts_again_sooner_than_the_first_time(server: EmbeddedPostgres) -> None:
    begun = time.monotonic()
    assert await answer(server.start()) == 42
    first_s = time.monotonic() - begun
    pid = server.postmaster_pid
    server.stop()
    assert not alive(pid)

    begun = time.monotonic()
    assert await answer(server.start()) == 42
    assert time.monotonic() - begun < first_s, "the cluster is made once"


def test_its_directories_are_private(server: EmbeddedPostgres) -> None:
    server.start()

    assert server.data_dir.stat().st_mode & 0o777 == 0o700
    assert server.cluster.stat().st_mode & 0o777 == 0o700


async def test_it_recovers_after_its_postmaster_was_killed(server: EmbeddedPostgres) -> None:
    server.start()
    server.kill()
    assert not server.running

    assert await answer(server.start()) == 42


async def test_a_stale_pid_file_that_names_a_living_process_does_not_block_the_start(server: EmbeddedPostgres) -> None:
    server.start()
    server.kill()
    status = server.cluster / "postmaster.pid"
    lines = status.read_text().splitlines()
    status.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")

    assert await answer(server.start()) == 42


async def test_a_path_too_long_for_a_socket_works(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / ("long" * 30) / "with space, comma" / "pg")
    try:
        assert await answer(server.start()) == 42
    finally:
        server.stop()


def test_a_second_owner_is_refused_after_a_while(server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    server.start()
    lock = server.data_dir / "lock"
    # The guard waits for a server that is still stopping; the test does not.
    impatient = (
        "import runpy,sys; module = runpy.run_path(sys.argv[1]);"
        "module['take_lock'].__globals__['LOCK_DEADLINE_S'] = 0.1; module['take_lock'](sys.argv[2])"
    )
    guard = Path(sys.modules["storage.embedded"].__file__ or "").with_name("postgres_guard.py")

    result = subprocess.run([sys.executable, "-c", impatient, str(guard), str(lock)], check=False)

    assert result.returncode == 75


def test_the_server_dies_with_an_owner_that_was_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from storage.embedded import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(Path(sys.argv[1])); server.start()\n"
        "print(server.postmaster_pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "pg")], stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        postmaster = int(owner.stdout.readline())
        owner.send_signal(signal.SIGKILL)
        wait_for(lambda: not alive(postmaster), 15)

    server = EmbeddedPostgres(tmp_path / "pg")
    server.start()
    server.stop()


def test_a_directory_that_cannot_hold_a_cluster_is_named(tmp_path: Path) -> None:
    target = tmp_path / "pg"
    (target / "cluster").mkdir(parents=True)
    (target / "cluster" / "PG_VERSION").write_text("9.1\n")

    with pytest.raises(EmbeddedPostgresError, match=str(target)):
        EmbeddedPostgres(target).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
async def test_where_namespaces_are_forbidden_it_runs_as_an_unprivileged_user_below_a_private_directory(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    server = EmbeddedPostgres(home / "pg")
    server._identity = "drop:65534"
    try:
        assert await answer(server.start()) == 42
        assert os.stat(f"/proc/{server.postmaster_pid}").st_uid == 65534  # noqa: PTH116 - a process, no file
    finally:
        server.stop()
    again = EmbeddedPostgres(home / "pg")
    try:
        assert await answer(again.start()) == 42, "a later start sees whose cluster it is"
    finally:
        again.stop()
