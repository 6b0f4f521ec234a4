"""A real Mosquitto on a free port: in memory, with a window and a queue that suit a bridge, or as a test writes it."""

import re
import signal
import socket
import subprocess
from pathlib import Path
from typing import Self

from device_sim.links.identity import parse_address
from hub.clients.endpoint import Endpoint
from tests.support.ports import free_port
from tests.support.programs import require_mosquitto
from tests.support.waiting import wait_for

IN_MEMORY = """\
allow_anonymous true
persistence false
max_inflight_messages 1000
max_queued_messages 1000000
max_queued_bytes 536870912
"""

PAGE = Path(__file__).parents[2] / "docs/how-to/connect-your-broker.md"


def shipped_config() -> str:
    """Return the part of the documented configuration that is about keeping messages: logins differ from test to test."""
    block = re.search(
        r"^```conf\n(# mosquitto.conf.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert block is not None
    theirs = ("listener", "allow_anonymous", "password_file", "acl_file", "persistence_location")
    return "allow_anonymous true\n" + "\n".join(line for line in block[1].splitlines() if not line.startswith(theirs))


class Mosquitto:
    """A broker on a port of its own: `start` and `kill` it as often as a test likes, or use it as a context manager."""

    def __init__(self, directory: Path, config: str = IN_MEMORY, scheme: str = "mqtt", listener: str = "") -> None:
        """`config` is the file without its listener; `listener` are the lines that belong to that."""
        self._program = require_mosquitto()
        self._scheme = scheme
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        directory.mkdir(exist_ok=True)
        self._log = directory / "mosquitto.log"
        self._config = directory / "mosquitto.conf"
        self._config.write_text(
            f"user root\npersistence_location {directory}/\nper_listener_settings false\n{config}\n"
            f"listener {self.port} 127.0.0.1\n{listener}",
            encoding="utf-8",
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    @property
    def address(self) -> Endpoint:
        """The same for a link of the simulator."""
        return parse_address(self.url, "mqtt", "--mqtt-url")

    def start(self) -> str:
        """Start it if it does not run, wait until it listens, return its URL."""
        if self._process is None or self._process.poll() is not None:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen([self._program, "-c", str(self._config)], stdout=log, stderr=log)
            wait_for(self._listens)
        return self.url

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Let it end, if it runs."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(10)
            self._process = None

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"mosquitto ended while starting: {self._log.read_text()}"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
