"""A RabbitMQ of Debian's package `rabbitmq-server` with its MQTT plugin: a node of its own on free loopback ports.

It skips where the program is absent, with CI=true as well: a node takes 10 s and 150 MiB to show what few users need, so
CI does not install it.
"""

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.waiting import wait_for

PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
START_DEADLINE_S = 60.0
STOP_DEADLINE_S = 15.0


def require_rabbitmq() -> None:
    """Skip where it is absent."""
    if not PROGRAM.exists():
        pytest.skip("needs RabbitMQ; on Debian and Ubuntu: apt-get install rabbitmq-server")


def speaks_mqtt_5() -> bool:
    """Say whether the one that is installed does: from 3.13 on."""
    (server,) = PROGRAM.parent.parent.glob("lib/rabbitmq_server-*")
    major, minor = server.name.partition("-")[2].split(".")[:2]
    return (int(major), int(minor)) >= (3, 13)


@contextlib.contextmanager
def rabbitmq(directory: Path, settings: str) -> Iterator[str]:
    """Serve MQTT with these lines in `rabbitmq.conf`; give the broker's URL. A fresh node takes guest:guest."""
    port = free_port()
    (directory / "enabled_plugins").write_text("[rabbitmq_mqtt].\n")
    (directory / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{free_port()}\nmqtt.listeners.tcp.1 = 127.0.0.1:{port}\n{settings}\n"
    )
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
        yield f"mqtt://guest:guest@127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_DEADLINE_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        with contextlib.suppress(OSError):
            subprocess.run(["epmd", "-kill"], env=environment, check=False, capture_output=True)
