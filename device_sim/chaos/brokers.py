"""The MQTT brokers that chaos can use and kill: the embedded one, and Debian's Mosquitto."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Final, Protocol

from device_sim.errors import BadArgumentError
from hub.errors import ChildFailedError
from hub.processes import child_process
from hub.processes.embedded_mqtt import EmbeddedMqttBroker
from hub.processes.ports import HOST, free_port

READY_DEADLINE_S: Final = 60.0
POLL_S: Final = 0.02
# Debian puts daemons where an ordinary user's PATH does not look.
SBIN: Final = "/usr/sbin:/usr/local/sbin"
# The settings that docs/explanation/ledger.md documents for a broker that may be killed.
MOSQUITTO: Final = """\
listener {port} {host}
allow_anonymous true
persistence true
persistence_location {directory}/
autosave_on_changes true
autosave_interval 1
max_queued_messages 1000000
max_queued_bytes 536870912
max_inflight_messages 1000
"""


class MqttBroker(Protocol):
    """An MQTT broker; `start` after a kill uses the same port and store."""

    @property
    def process(self) -> "subprocess.Popen[bytes] | None": ...

    def start(self) -> str:
        """Return its URL once it accepts connections."""
        ...

    def stop(self) -> None: ...

    def check(self) -> None:
        """Raise ChildFailedError when it has ended by itself."""
        ...


class MosquittoBroker:
    """Debian's Mosquitto with the documented settings."""

    def __init__(self, data_dir: Path) -> None:
        program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', os.defpath)}:{SBIN}")
        if program is None:
            raise BadArgumentError("--broker", "mosquitto is not installed; on Debian: apt-get install mosquitto")
        self._program = program
        self._directory = data_dir / "mosquitto"
        self._port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        self._directory.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            # Started as root it becomes the user mosquitto, who must be able to write its database. It goes on without one
            # where it cannot, and then a kill loses what it has acknowledged: the verdict would blame the hub.
            shutil.chown(self._directory, "mosquitto")
            check_passable(self._directory)
        config = self._directory / "mosquitto.conf"
        config.write_text(MOSQUITTO.format(port=self._port, host=HOST, directory=self._directory), encoding="utf-8")
        with (self._directory / "mosquitto.log").open("ab") as log:
            self.process = subprocess.Popen(
                child_process.bound_to_parent([self._program, "-c", str(config)]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + READY_DEADLINE_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection((HOST, self._port), READY_DEADLINE_S):
                return f"mqtt://{HOST}:{self._port}"
            self.check()
            if time.monotonic() > deadline:
                raise ChildFailedError("mosquitto", f"not ready within {READY_DEADLINE_S:.0f} s", self._tail())
            time.sleep(POLL_S)

    def stop(self) -> None:
        if self.process is not None:
            child_process.stop(self.process)
            self.process = None

    def check(self) -> None:
        if self.process is not None and (status := self.process.poll()) is not None:
            raise ChildFailedError("mosquitto", f"ended unexpectedly with status {status}", self._tail())

    def _tail(self) -> str:
        return child_process.log_tail(self._directory / "mosquitto.log")


def check_passable(directory: Path) -> None:
    """See that a program which drops root reaches a directory.

    Raises:
        BadArgumentError: a directory above it lets only its owner through.
    """
    for parent in directory.resolve().parents:
        if not parent.stat().st_mode & 0o001:
            raise BadArgumentError(
                "--data-dir",
                f"{parent} lets only its owner through, so mosquitto, which gives up root, cannot write below it",
            )


def make_broker(name: str, data_dir: Path) -> MqttBroker:
    """Return the broker of that name; BadArgumentError names --broker."""
    if name == "nats":
        return EmbeddedMqttBroker(data_dir)
    if name == "mosquitto":
        return MosquittoBroker(data_dir)
    raise BadArgumentError("--broker", f"{name!r} is neither nats nor mosquitto")
