"""Certificates for tests, made by the system's openssl: a CA, a server for 127.0.0.1 and localhost, a client."""

import subprocess
from pathlib import Path

from tests.support.programs import require_program

_NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


class Certificates:
    """Files below a directory: `ca.pem`, `server.pem`, `server.key`, `client.pem`, `client.key`."""

    def __init__(self, directory: Path) -> None:
        self._openssl = require_program("openssl")
        self._directory = directory
        self._run("req", "-x509", "-subj", "/CN=test CA", "-keyout", "ca.key", "-out", "ca.pem", *_NEW_KEY)
        for name in ("server", "client"):
            extension = ("-addext", _NAMES) if name == "server" else ()
            signed = ("-CA", "ca.pem", "-CAkey", "ca.key")
            self._run(
                *("req", "-x509", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem"),
                *(*_NEW_KEY, *extension, *signed),
            )

    def __getitem__(self, name: str) -> Path:
        return self._directory / name

    def _run(self, *arguments: str) -> None:
        subprocess.run([self._openssl, *arguments], check=True, capture_output=True, cwd=self._directory, timeout=30)


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
