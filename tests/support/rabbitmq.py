"""A RabbitMQ of Debian's package `rabbitmq-server`: a node of its own on free loopback ports, with one plugin.

A fresh node lets `guest` in with the password `guest`, on the virtual host `/`.
"""

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.ports import free_port
from tests.support.waiting import wait_for

PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
START_DEADLINE_S = 60.0
STOP_DEADLINE_S = 15.0


@dataclass(frozen=True, slots=True)
class Node:
    """One that runs: the port of its plugin, and the process."""

    port: int
    pid: int


def version() -> tuple[int, int]:
    """Return the version that is installed."""
    (server,) = PROGRAM.parent.parent.glob("lib/rabbitmq_server-*")
    major, minor = server.name.partition("-")[2].split(".")[:2]
    return int(major), int(minor)


@contextlib.contextmanager
def rabbitmq(directory: Path, plugin: str, settings: str) -> Iterator[Node]:
    """Run with a plugin and these lines in `rabbitmq.conf`, where `{port}` is the plugin's and `{free}` is any."""
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    (directory / "enabled_plugins").write_text(f"[{plugin}].\n")
    settings = settings.replace("{port}", str(port)).replace("{free}", str(free_port()))
    (directory / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{free_port()}\n{settings}\n")
    environment = os.environ | {
        "HOME": str(directory),
        "RABBITMQ_NODENAME": f"test{port}@localhost",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(directory / "data"),
        "RABBITMQ_LOG_BASE": str(directory / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
        "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(free_port()),  # a port mapper of its own, which ends with it
    }
    with (directory / "out").open("wb") as out:
        process = subprocess.Popen([PROGRAM], env=environment, stdout=out, stderr=out, start_new_session=True)

    def serves() -> bool:
        assert process.poll() is None, (directory / "out").read_text(errors="replace")[-800:]
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_for(serves, START_DEADLINE_S)
        yield Node(port, process.pid)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_DEADLINE_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        with contextlib.suppress(OSError):
            subprocess.run(["epmd", "-kill"], env=environment, check=False, capture_output=True)
