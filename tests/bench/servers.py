"""The servers under test as processes on the server's core: the hub with all it does, and the hub it is compared with."""

import contextlib
import itertools
import json
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from hub.processes import child_process
from hub.processes.supervisor import Supervisor
from storage.embedded import EmbeddedPostgres
from tests.bench.cores import load_core, on_core, server_core
from tests.bench.stompload import SHARED, BenchSkipped
from tests.support.ports import free_port

READY_DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    port: int
    pid: int


class Servers:
    """Starts servers; all have ended when the `with` block is left. Postgres stands on the load's core."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._postgres = EmbeddedPostgres(directory / "postgres")
        self._numbers = itertools.count()
        self._database_url = ""

    def __enter__(self) -> Self:
        with on_core(load_core()):
            self._database_url = self._postgres.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._postgres.stop()

    @contextlib.contextmanager
    def hub(self, limits: Mapping[str, float] | None = None) -> Iterator[Server]:
        """Run `telemetry-hub serve`, with other limits than the default ones where they are given."""
        name = f"hub-{next(self._numbers)}"
        config = self._directory / f"{name}.toml"
        config.write_text(
            "[limits]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in (limits or {}).items())
        )
        command = [child_process.program("telemetry-hub"), "serve", "--config", str(config), "--port", "0"]
        command += ["--stomp-port", "0", "--database-url", self._database_url]
        command += ["--data-dir", str(self._directory / name)]
        with Supervisor(self._directory / "logs") as supervisor:
            with on_core(server_core()):
                child = supervisor.start(name, command)
            addresses = child.wait_ready(READY_DEADLINE_S)
            url = next(address for address in addresses if address.startswith("http:"))
            yield Server(int(url.rpartition(":")[2]), child.process.pid)

    def naive(self) -> contextlib.AbstractContextManager[Server]:
        """Run the shared baseline on uvloop."""
        return self._shared("naive_hub.py", "uvloop")

    def limit(self) -> contextlib.AbstractContextManager[Server]:
        """Run the shared limit: what the loop can do for the same load without any semantics."""
        return self._shared("limit_hub.py")

    @contextlib.contextmanager
    def _shared(self, name: str, *arguments: str) -> Iterator[Server]:
        program = SHARED / name
        if not program.exists():
            raise BenchSkipped(f"the shared program ../shared/bench/{name} is not beside this checkout")
        port = free_port()
        with Supervisor(self._directory / "logs") as supervisor:
            with on_core(server_core()):
                child = supervisor.start(
                    f"{program.stem}-{next(self._numbers)}", [sys.executable, str(program), str(port), *arguments]
                )
            await_port(port)
            yield Server(port, child.process.pid)


def await_port(port: int) -> None:
    """Wait until somebody listens; raises TimeoutError."""
    deadline = time.monotonic() + READY_DEADLINE_S
    while time.monotonic() < deadline:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)
    raise TimeoutError(f"nobody listens on port {port}")
