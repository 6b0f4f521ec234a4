"""RabbitMQ's Web-STOMP, the peer that is compared: a node of its own on free loopback ports, with its stock settings.

A fresh node lets `guest` in with the password `guest`, on the virtual host `/`. The program is from Debian's package
`rabbitmq-server`; without it the benchmark says so and is left out.
"""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.servers import Server
from tests.bench.stompload import BenchSkipped, LoadFailed
from tests.support.ports import free_port

PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
START_DEADLINE_S = 60.0
STOP_DEADLINE_S = 15.0


@contextlib.contextmanager
def web_stomp(directory: Path) -> Iterator[Server]:
    """Serve."""
    if not PROGRAM.exists():
        raise BenchSkipped("RabbitMQ is not installed (apt-get install rabbitmq-server)")
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    (directory / "enabled_plugins").write_text("[rabbitmq_web_stomp].\n")
    (directory / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{free_port()}\n"
        f"stomp.listeners.tcp.1 = 127.0.0.1:{free_port()}\n"
        f"web_stomp.tcp.ip = 127.0.0.1\nweb_stomp.tcp.port = {port}\n"
    )
    environment = os.environ | {
        "HOME": str(directory),
        "RABBITMQ_NODENAME": f"bench{port}@localhost",
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
    try:
        _wait(process, port, directory / "out")
        yield Server(port, process.pid)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_DEADLINE_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        with contextlib.suppress(OSError):
            subprocess.run(["epmd", "-kill"], env=environment, check=False, capture_output=True)


def _wait(process: "subprocess.Popen[bytes]", port: int, out: Path) -> None:
    end = time.monotonic() + START_DEADLINE_S
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.2)
    raise LoadFailed(f"RabbitMQ did not start: {out.read_text(errors='replace')[-800:]}")
