"""A real Mosquitto that a test starts and kills as it likes, for the simulator's links."""

import socket
import subprocess
from pathlib import Path

from device_sim.links.address import Address, parse_address
from tests.support.ports import free_port
from tests.support.programs import require_mosquitto
from tests.support.waiting import wait_for


class BreakableMosquitto:
    """A real Mosquitto on a port of its own; `start` and `kill` as often as a test likes."""

    def __init__(self, directory: Path, extra: str = "allow_anonymous true") -> None:
        self.port = free_port()
        self._config = directory / "mosquitto.conf"
        self._config.write_text(f"listener {self.port} 127.0.0.1\n{extra}\n")
        self._program = require_mosquitto()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> Address:
        return parse_address(f"mqtt://127.0.0.1:{self.port}", "mqtt", "--mqtt-url")

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._program, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(self._listens)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
