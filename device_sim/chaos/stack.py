"""The parts that chaos kills: embedded Postgres, an MQTT broker, hub and bridge, each a process of its own on loopback.

What it is: how each part is started, killed with SIGKILL and started again on the same ports and data. In which order
and when is `run`'s business. The bridge is known only by its command line.

What holds: every start of a program has a log of its own (`hub-1.log`, `hub-2.log`, …); a part that ends without having
been killed is an error; all parts end with the `with` block and with this process.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from device_sim.errors import BadArgumentError
from hub.errors import ChildFailedError
from hub.processes import child_process
from hub.processes.embedded_mqtt import EmbeddedMqttBroker
from hub.processes.ports import HOST, free_port
from hub.processes.supervisor import Child, Supervisor
from storage.embedded import EmbeddedPostgres

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
    """An MQTT broker; start() after a kill takes the same port and store."""

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
            # Started as root it becomes the user mosquitto, who must be able to write its database.
            shutil.chown(self._directory, "mosquitto")
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


def make_broker(name: str, data_dir: Path) -> MqttBroker:
    """Return the broker of that name; BadArgumentError names --broker."""
    if name == "nats":
        return EmbeddedMqttBroker(data_dir)
    if name == "mosquitto":
        return MosquittoBroker(data_dir)
    raise BadArgumentError("--broker", f"{name!r} is neither nats nor mosquitto")


class Stack:
    """All parts but the fleet. `with Stack(…)` starts them; they end with the block."""

    def __init__(self, data_dir: Path, broker: MqttBroker) -> None:
        self._data_dir = data_dir
        self._postgres = EmbeddedPostgres(data_dir / "postgres")
        self._broker = broker
        self._programs: dict[str, Child] = {}
        self._starts = dict.fromkeys(("hub", "bridge"), 0)
        self._down: set[str] = set()
        self._http_port, self._stomp_port = free_port(), free_port()
        self.supervisor = Supervisor(data_dir / "logs")
        self.hub_url = f"ws://{HOST}:{self._http_port}/ws"
        self.stomp_url = f"stomp://{HOST}:{self._stomp_port}"
        self.mqtt_url = self.database_url = ""

    def __enter__(self) -> Self:
        try:
            for part in ("postgres", "broker", "hub", "bridge"):
                self.start(part)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.supervisor.__exit__(kind, error, traceback)
        self._broker.stop()
        self._postgres.stop()

    def start(self, part: str) -> None:
        """Start a part, for the first time or again; return when it is ready."""
        match part:
            case "postgres":
                self.database_url = self._postgres.start()
            case "broker":
                self.mqtt_url = self._broker.start()
            case "hub":
                self._start_hub()
            case _:
                options = ["--mqtt-url", self.mqtt_url, "--hub-url", self.hub_url, "--health-port", "0"]
                self._start_program("bridge", ["telemetry-bridge", "run", *options])
        self._down.discard(part)

    def kill(self, part: str) -> None:
        """End a part as `kill -9` does."""
        self._down.add(part)
        match part:
            case "postgres":
                self._postgres.kill()
            case "broker":
                if (process := self._broker.process) is not None:
                    process.kill()
                    process.wait()
            case _:
                child = self._programs.pop(part)
                child.process.send_signal(signal.SIGKILL)
                child.process.wait()
                self.supervisor.forget(child)

    def stop(self, part: str) -> None:
        """End hub or bridge in order; ChildFailedError unless it ends with status 0."""
        self.supervisor.stop(self._programs.pop(part), READY_DEADLINE_S)

    def check(self) -> None:
        """Raise ChildFailedError when a part has ended that was not killed."""
        for child in self._programs.values():
            child.check()
        if "postgres" not in self._down and not self._postgres.running:
            raise ChildFailedError("Postgres", "ended unexpectedly", child_process.log_tail(self._postgres.log_file))
        if "broker" not in self._down:
            self._broker.check()

    def _start_hub(self) -> None:
        options = ["--port", str(self._http_port), "--stomp-port", str(self._stomp_port)]
        options += ["--database-url", self.database_url, "--data-dir", str(self._data_dir / "hub")]
        self._start_program("hub", ["telemetry-hub", "serve", *options])

    def _start_program(self, part: str, command: list[str]) -> None:
        self._starts[part] += 1
        name, *options = command
        child = self.supervisor.start(f"{part}-{self._starts[part]}", [child_process.program(name), *options])
        self._programs[part] = child
        child.wait_ready(READY_DEADLINE_S)
