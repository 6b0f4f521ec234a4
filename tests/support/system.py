"""The whole system as processes: Postgres, MQTT broker, hub, bridge. Acceptance tests and benchmarks add the clients.

Not the demo: a test here kills and restarts parts, so it holds each of them by itself. Parts that are restarted keep
their ports.
"""

import asyncio
import json
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import asyncpg

from hub.demo.status import scrape
from hub.processes import child_process
from hub.processes.embedded_mqtt import EmbeddedMqttBroker
from hub.processes.supervisor import Child, Supervisor
from storage.embedded import EmbeddedPostgres
from tests.support.ports import free_port

READY_DEADLINE_S = 30.0
# Shorter than in production, where it is above what a slow database takes: what a killed bridge held comes again sooner.
ACK_WAIT_S = 3
COMMAND_DEADLINE_S = 100.0
DEVICE_SIM = child_process.program("device-sim")


class Broker(Protocol):
    """An MQTT broker; `start` returns its URL."""

    def start(self) -> str: ...

    def stop(self) -> None: ...


class System:
    """Everything but the clients; parts start on demand and end with the `with` block."""

    def __init__(self, data_dir: Path, broker: Broker | None = None) -> None:
        self._data_dir = data_dir
        self.postgres = EmbeddedPostgres(data_dir / "postgres")
        self._broker = broker or EmbeddedMqttBroker(data_dir, ack_wait_s=ACK_WAIT_S)
        self.supervisor = Supervisor(data_dir / "logs")
        self.ledger = data_dir / "ledger"
        self.http_port = free_port()
        self.http_url = f"http://127.0.0.1:{self.http_port}"
        self.hub_url = f"ws://127.0.0.1:{self.http_port}/ws"

    def __enter__(self) -> Self:
        try:
            self.database_url = self.postgres.start()
            self.mqtt_url = self._broker.start()
            self.start_hub()
            self.start_bridge()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.supervisor.__exit__(kind, error, traceback)
        self._broker.stop()
        self.postgres.stop()

    def start_hub(self) -> None:
        command = [child_process.program("telemetry-hub"), "serve", "--port", str(self.http_port), "--stomp-port", "0"]
        command += ["--database-url", self.database_url, "--data-dir", str(self._data_dir / "hub")]
        self.hub = self.supervisor.start("hub", command)
        self.hub.wait_ready(READY_DEADLINE_S)

    def start_bridge(self) -> None:
        command = [child_process.program("telemetry-bridge"), "run", "--mqtt-url", self.mqtt_url]
        command += ["--hub-url", self.hub_url, "--health-port", "0"]
        self.bridge = self.supervisor.start("bridge", command)
        self._bridge_health = self.bridge.wait_ready(READY_DEADLINE_S)[-1]

    def kill(self, child: Child) -> None:
        """End a part as `kill -9` does."""
        child.process.kill()
        child.process.wait()
        self.supervisor.forget(child)

    def start_fleet(self, *options: str) -> Child:
        command = [DEVICE_SIM, "run", "--mqtt-url", self.mqtt_url, "--hub-url", self.hub_url]
        fleet = self.supervisor.start("fleet", [*command, "--ledger", str(self.ledger), *options])
        fleet.wait_ready(READY_DEADLINE_S)
        return fleet

    def device_sim(self, *arguments: str) -> dict[str, Any]:
        """Run device-sim to its end; return its last line."""
        command = [DEVICE_SIM, *arguments]
        result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=COMMAND_DEADLINE_S)
        assert result.returncode in {0, 1}, result.stderr
        line: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
        return line

    def verify(self) -> dict[str, Any]:
        return self.device_sim("verify", "--ledger", str(self.ledger), "--database-url", self.database_url)

    def metrics(self) -> dict[str, float]:
        return scrape(self.http_url)

    def bridge_metrics(self) -> dict[str, float]:
        return scrape(self._bridge_health)

    def query(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """Ask the database."""

        async def ask() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(self.database_url)
            try:
                rows: list[asyncpg.Record] = await connection.fetch(sql, *arguments)
                return rows
            finally:
                await connection.close()

        return asyncio.run(ask())
