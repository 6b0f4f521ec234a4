"""The parts that chaos kills: embedded Postgres, an MQTT broker, hub and bridge, each a process of its own on loopback.

With a pooler the hub reaches Postgres through it; with a fake clock its wall clock is what that says.

What it is: how each part is started, killed with SIGKILL and started again on the same ports and data. In which order
and when is `run`'s business. The bridge is known only by its command line.

What holds: every start of a program has a log of its own (`hub-1.log`, `hub-2.log`, …); a part that ends without having
been killed is an error; all parts end with the `with` block and with this process.
"""

import signal
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from device_sim.chaos.brokers import MqttBroker
from device_sim.chaos.faults import FakeClock, with_environment
from device_sim.chaos.pooler import Pooler
from hub.errors import ChildFailedError
from hub.processes import child_process
from hub.processes.ports import HOST, free_port
from hub.processes.supervisor import Child, Supervisor
from storage.embedded import EmbeddedPostgres

READY_DEADLINE_S: Final = 60.0
POLL_S: Final = 0.02
# Debian puts daemons where an ordinary user's PATH does not look.
SBIN: Final = "/usr/sbin:/usr/local/sbin"


class Stack:
    """All parts but the fleet. `with Stack(…)` starts them; they end with the block."""

    def __init__(
        self,
        data_dir: Path,
        broker: MqttBroker,
        *,
        pooler: str | None = None,
        clock: FakeClock | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare; `settings` are environment variables of the hub."""
        self._data_dir = data_dir
        self._postgres = EmbeddedPostgres(data_dir / "postgres")
        self._broker = broker
        self._pooler = None if pooler is None else Pooler(data_dir, pooler, self._postgres)
        self._environment = {**(settings or {}), **({} if clock is None else clock.environment())}
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
            if self._pooler is not None:
                self._pooler.start()
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
        if self._pooler is not None:
            self._pooler.stop()
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
        """Raise ChildFailedError when a part that was not killed has ended."""
        for child in self._programs.values():
            child.check()
        if self._pooler is not None:
            self._pooler.check()
        if "postgres" not in self._down and not self._postgres.running:
            raise ChildFailedError("Postgres", "ended unexpectedly", child_process.log_tail(self._postgres.log_file))
        if "broker" not in self._down:
            self._broker.check()

    def _start_hub(self) -> None:
        options = ["--port", str(self._http_port), "--stomp-port", str(self._stomp_port)]
        database_url = self.database_url if self._pooler is None else self._pooler.url
        options += ["--database-url", database_url, "--data-dir", str(self._data_dir / "hub")]
        self._start_program("hub", ["telemetry-hub", "serve", *options], self._environment)

    def _start_program(self, part: str, command: list[str], environment: Mapping[str, str] | None = None) -> None:
        self._starts[part] += 1
        name, *options = command
        command = with_environment([child_process.program(name), *options], environment or {})
        child = self.supervisor.start(f"{part}-{self._starts[part]}", command)
        self._programs[part] = child
        child.wait_ready(READY_DEADLINE_S)
