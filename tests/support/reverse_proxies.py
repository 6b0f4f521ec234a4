"""A real nginx on a free port, with a server block as the documentation shows it."""

import shutil
import socket
import subprocess
from pathlib import Path
from typing import Self

from tests.support.ports import free_port
from tests.support.programs import require_program
from tests.support.waiting import wait_for

FRAME = """\
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
{blocks}
}}
"""


class Nginx:
    """A proxy while the `with` block runs."""

    def __init__(self, directory: Path, blocks: str) -> None:
        """Serve `blocks`, which listen on port 80, on a port of its own."""
        self._program = require_program("nginx")
        self.port = free_port()
        self._directory = directory / "nginx"
        self._directory.mkdir()
        blocks = blocks.replace("listen 80;", f"listen 127.0.0.1:{self.port};")
        self._config = self._directory / "nginx.conf"
        self._config.write_text(FRAME.format(directory=self._directory, blocks=blocks), encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        log = self._directory / "error.log"
        command = [self._program, "-c", str(self._config), "-e", str(log)]
        self._process = process = subprocess.Popen(command, stderr=subprocess.DEVNULL)

        def serving() -> bool:
            assert process.poll() is None, log.read_text()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        wait_for(serving)
        return self

    def __exit__(self, *_error: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)


class Caddy:
    """The same with Caddy, which few machines have."""

    def __init__(self, directory: Path, site: str) -> None:
        """Serve `site`, which has a name of its own, on a port and without TLS."""
        found = shutil.which("caddy")
        assert found is not None, "ask `shutil.which` first"
        self._program = found
        self.port = free_port()
        self._config = directory / "Caddyfile"
        first, _, rest = site.partition(" {")
        text = f"{{\n    admin off\n    auto_https off\n}}\nhttp://{first}:{self.port} {{{rest}"
        self._config.write_text(text, encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = [self._program, "run", "--config", str(self._config), "--adapter", "caddyfile"]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)

        def serving() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        wait_for(serving)
        return self

    def __exit__(self, *_error: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
