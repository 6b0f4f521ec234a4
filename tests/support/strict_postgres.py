"""A Postgres as a company runs it: on TCP, with TLS, passwords, and a pg_hba.conf that does not let everybody in."""

import subprocess
from pathlib import Path
from typing import Self

import asyncpg

from storage.embedded import EmbeddedPostgres
from tests.support.certificates import Certificates
from tests.support.debian_postgres import debian_binaries
from tests.support.ports import free_port
from tests.support.postgres import FAST
from tests.support.waiting import wait_until

PASSWORD = "p@ss/w:rd?#%ü"
HBA = """\
local   all       postgres                 trust
host    all       banned    127.0.0.1/32   reject
hostssl all       tls_only  127.0.0.1/32   scram-sha-256
hostssl all       by_cert   127.0.0.1/32   cert
host    all       hub       127.0.0.1/32   scram-sha-256
host    all       small     127.0.0.1/32   scram-sha-256
host    all       few       127.0.0.1/32   scram-sha-256
host    all       nologin   127.0.0.1/32   trust
host    all       absent    127.0.0.1/32   trust
"""


class StrictPostgres:
    """One server; the role `hub` owns the database `hub`. Use as an async context manager."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._binaries = debian_binaries()  # the wheel's are built without TLS
        self._template = EmbeddedPostgres(directory / "data", binaries=self._binaries)
        self.certificates = Certificates(directory)
        self.port = free_port()
        self._log = directory / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, user: str = "hub", database: str = "hub", query: str = "", port: int | None = None) -> str:
        """Return an address, without a password."""
        return f"postgresql://{user}@127.0.0.1:{port or self.port}/{database}?{query}".rstrip("?")

    async def admin(self) -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(host=str(self._template.data_dir), user="postgres", database="postgres")

    async def execute(self, *statements: str, database: str = "postgres") -> None:
        connection = await asyncpg.connect(host=str(self._template.data_dir), user="postgres", database=database)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def __aenter__(self) -> Self:
        template = self._template
        template.start()  # makes the cluster
        template.stop()
        identity = template._choose_identity()
        (template.cluster / "pg_hba.conf").write_text(HBA)
        for name in ("server.pem", "server.key", "ca.pem"):
            copy = template.cluster / name
            copy.write_bytes(self.certificates[name].read_bytes())
            copy.chmod(0o600)
            template._give(identity, copy)
        settings = FAST | {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(template.data_dir),
            "ssl": "on",
            "ssl_cert_file": "server.pem",
            "ssl_key_file": "server.key",
            "ssl_ca_file": "ca.pem",
        }
        command = [*template._python(), "run", identity, "--", str(self._binaries / "postgres")]
        command += ["-D", str(template.cluster)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/"
            )
        socket = template.data_dir / f".s.PGSQL.{self.port}"
        await wait_until(lambda: socket.exists() and "ready to accept" in self._log.read_text(), 20)
        socket.rename(template.data_dir / ".s.PGSQL.5432")
        password = PASSWORD.replace("'", "''")
        await self.execute(
            *(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'" for name in ("hub", "small", "tls_only", "banned")),
            "CREATE ROLE by_cert LOGIN",
            "CREATE ROLE nologin",
            f"CREATE ROLE few LOGIN PASSWORD '{password}'",
            "CREATE DATABASE hub OWNER hub",
            "CREATE DATABASE closed ALLOW_CONNECTIONS false",
            "CREATE DATABASE forbidden",
            "REVOKE CONNECT ON DATABASE forbidden FROM public",
        )
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
