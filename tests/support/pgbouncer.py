"""A real PgBouncer before a real Postgres, configured as managed services offer it."""

import os
import pwd
import socket
import subprocess
from pathlib import Path
from typing import Self

from tests.support.ports import free_port
from tests.support.programs import require_program
from tests.support.waiting import wait_for


class PgBouncer:
    """One pooler; use as a context manager."""

    def __init__(self, directory: Path, server: str, users: dict[str, str], **settings: str) -> None:
        """`server` is a libpq string of host and port; `settings` go before the usual ones."""
        self._program = require_program("pgbouncer")
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._log = directory / "pgbouncer.log"
        self._config = directory / "pgbouncer.ini"
        passwords = directory / "users.txt"
        passwords.write_text("".join(f'"{name}" "{word}"\n' for name, word in users.items()), encoding="utf-8")
        usual = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(self.port),
            "unix_socket_dir": "",
            "auth_type": "plain",
            "auth_file": str(passwords),
            "pool_mode": "transaction",
            "default_pool_size": "10",
        }
        lines = [f"{name} = {value}" for name, value in (usual | settings).items()]
        self._config.write_text(f"[databases]\n* = {server}\n[pgbouncer]\n" + "\n".join(lines) + "\n", encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None
        self._user: list[str] = []
        if os.geteuid() == 0:  # which it refuses to be
            nobody = pwd.getpwnam("nobody")
            for path in (directory, self._config, passwords):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
            self._user = ["--user", "nobody"]

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            # Opened by root, so that directories above which only root may pass are no hindrance.
            self._process = subprocess.Popen(
                [self._program, *self._user, str(self._config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_for(self._listens)
        return self

    def __exit__(self, *_error: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"pgbouncer ended while starting: {self._log.read_text()}"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
