"""A real Mosquitto on a free port, in memory, with a window and a queue that suit a bridge."""

import socket
import subprocess
from pathlib import Path

from tests.support.programs import require_mosquitto
from tests.support.waiting import wait_for


class Mosquitto:
    """Start on construction, `stop` when done."""

    def __init__(self, directory: Path) -> None:
        program = require_mosquitto()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        config = directory / "mosquitto.conf"
        config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
            "max_inflight_messages 1000\nmax_queued_messages 1000000\nmax_queued_bytes 536870912\n",
            encoding="utf-8",
        )
        self._log = (directory / "mosquitto.log").open("wb")
        self._process = subprocess.Popen([program, "-c", str(config)], stdout=self._log, stderr=self._log)
        wait_for(self._listens)

    def _listens(self) -> bool:
        assert self._process.poll() is None, "mosquitto ended while starting"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._log.close()
