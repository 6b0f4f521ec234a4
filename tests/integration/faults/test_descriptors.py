"""More peers than the process may hold open: it stays quiet and idle, and serves when there is room again."""

import contextlib
import resource
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from hub.processes.supervisor import Child, Supervisor
from tests.support.hub import NO_DATABASE, hub_command
from tests.support.raw_stomp import tcp
from tests.support.waiting import wait_for

FILES = 1_024
PEERS = 1_100
LIMITS = "[limits]\nhandshake_s = 4\nconnect_s = 4\n"


@pytest.fixture
def many_files() -> Iterator[None]:
    """Let this process open as many sockets as the attack needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4 * PEERS) if hard > 0 else 4 * PEERS, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("transport", ["http", "stomp"])
def test_more_silent_peers_than_descriptors(tmp_path: Path, many_files: None, transport: str) -> None:
    """1,100 peers of a hub with 1,024 files meant 100 % CPU and 4 MB/s of tracebacks."""
    config = tmp_path / "hub.toml"
    config.write_text(LIMITS)
    served = hub_command(tmp_path / "data", "--config", str(config), "--database-url", NO_DATABASE)
    command = [sys.executable, "-c", LIMITED, str(FILES), *served]
    with Supervisor(tmp_path / "logs") as supervisor, contextlib.ExitStack() as peers:
        hub = supervisor.start("hub", command)
        http_url, _, stomp_url = hub.wait_ready(20)
        assert "connections_capped" in log_of(hub), "said once, at start"
        port = urlsplit(http_url if transport == "http" else stomp_url).port
        assert port is not None
        begun = time.monotonic()
        for _ in range(PEERS):
            peer = peers.enter_context(socket.socket())
            peer.setblocking(False)
            peer.connect_ex(("127.0.0.1", port))
        process = psutil.Process(hub.process.pid)
        # The silent of plain STOMP count as connections, and are turned away above their limit.
        wait_for(lambda: transport == "stomp" or "not_accepting" in log_of(hub))
        used, size = process.cpu_times().user, len(log_of(hub))
        # All places are taken for as long as the silent may be silent.
        wait_for(lambda: time.monotonic() - begun > 2.0)
        assert process.cpu_times().user - used < 0.5
        assert len(log_of(hub)) - size < 10_000
        assert "Traceback" not in log_of(hub)
        assert process.num_fds() < FILES

        port = urlsplit(stomp_url).port
        assert port is not None
        wait_for(lambda: served_again(port))


def served_again(port: int) -> bool:
    """Whether a client is let in, once the first of the silent were ended; before, plain STOMP turns it away."""
    with tcp(port) as client:
        client.send("CONNECT\naccept-version:1.2\n\n^@")
        with contextlib.suppress(ConnectionError):
            if (frame := client.maybe_frame()) is not None:
                assert frame.command == "CONNECTED"
                return True
    return False


LIMITED = """
import os, resource, sys
files = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
os.execv(sys.argv[2], sys.argv[2:])
"""


def log_of(hub: Child) -> str:
    return hub.log_path.read_text(encoding="utf-8", errors="replace")
