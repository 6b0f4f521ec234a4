"""PgBouncer between the hub and Postgres, as managed databases have it: one process of ours on loopback.

The hub gets its address; the audit asks Postgres itself. It refuses to run as root, and so becomes the user of Postgres, who
alone gets into the directory of the socket. Session mode: the hub refuses to start behind the others.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

from device_sim.chaos.brokers import SBIN
from device_sim.errors import BadArgumentError
from hub.errors import ChildFailedError
from hub.processes import child_process
from hub.processes.ports import HOST, free_port
from storage.embedded import EmbeddedPostgres

MODES: Final = ("transaction", "session")
READY_DEADLINE_S: Final = 30.0
POLL_S: Final = 0.02
CONFIG: Final = """\
[databases]
* = host={socket_dir} user=postgres
[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = 20
server_login_retry = 1
ignore_startup_parameters = extra_float_digits
"""


class Pooler:
    """One PgBouncer in `mode`, before an embedded Postgres."""

    def __init__(self, directory: Path, mode: str, postgres: EmbeddedPostgres) -> None:
        if mode not in MODES:
            raise BadArgumentError("--pooler", f"{mode!r} is none of {', '.join(MODES)}")
        program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:{SBIN}")
        if program is None:
            raise BadArgumentError("--pooler", "pgbouncer is not installed; on Debian: apt-get install pgbouncer")
        self._program = program
        self._mode, self._postgres = mode, postgres
        self._config, self._log = directory / "pgbouncer.ini", directory / "pgbouncer.log"
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://postgres@{HOST}:{self._port}/postgres"

    def start(self) -> None:
        """Start it; return when it accepts connections."""
        self._config.write_text(
            CONFIG.format(socket_dir=self._postgres.data_dir, host=HOST, port=self._port, mode=self._mode),
            encoding="utf-8",
        )
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                child_process.bound_to_parent(self._postgres.as_owner([self._program, str(self._config)])),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + READY_DEADLINE_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection((HOST, self._port), READY_DEADLINE_S):
                return
            self.check()
            if time.monotonic() > deadline:
                raise ChildFailedError("pgbouncer", f"not ready within {READY_DEADLINE_S:.0f} s", self._tail())
            time.sleep(POLL_S)

    def stop(self) -> None:
        if self._process is not None:
            child_process.stop(self._process)
            self._process = None

    def check(self) -> None:
        """Raise ChildFailedError when it has ended by itself."""
        if self._process is not None and (status := self._process.poll()) is not None:
            raise ChildFailedError("pgbouncer", f"ended unexpectedly with status {status}", self._tail())

    def _tail(self) -> str:
        return child_process.log_tail(self._log)
