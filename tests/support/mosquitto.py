"""A real Mosquitto on a free port: in memory, with a window and a queue that suit a bridge, or as a test writes it."""

import re
import socket
import subprocess
from pathlib import Path

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
    """Start on construction, `stop` when done; `kill`, then `start` again on the same port."""

    def __init__(self, directory: Path, config: str = IN_MEMORY, scheme: str = "mqtt", listener: str = "") -> None:
        """`config` is the file without its listener; `listener` are the lines that belong to that."""
        self._program = require_mosquitto()
        self._directory = directory
        self._scheme = scheme
        self.port = free_port()
        self.config = directory / "mosquitto.conf"
        self.config.write_text(
            f"user root\npersistence_location {directory}/\nper_listener_settings false\n{config}\n"
            f"listener {self.port} 127.0.0.1\n{listener}",
            encoding="utf-8",
        )
        self.start()

    def start(self) -> None:
        """Start and wait until it listens."""
        self._log = (self._directory / "mosquitto.log").open("ab")
        self._process = subprocess.Popen([self._program, "-c", str(self.config)], stdout=self._log, stderr=self._log)
        wait_for(self._listens)

    def _listens(self) -> bool:
        assert self._process.poll() is None, "mosquitto ended while starting"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self._process.kill()
        self._process.wait(10)
        self._log.close()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._log.close()
