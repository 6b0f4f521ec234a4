"""The whole path under load: MQTT broker, bridge, hub, Postgres, each a process, on all cores together with the load.

One run floods the broker at QoS 1, waits until all is stored, and charges each part's CPU time, drain included, to the
messages; then the database is searched for gaps. Another lets a fleet send at its own pace and measures the share of the
cores.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncpg

from hub import child_process
from hub.demo_status import scrape
from hub.embedded_mqtt import EmbeddedMqttBroker
from hub.supervisor import Supervisor
from storage.embedded import EmbeddedPostgres
from tests.bench.flood import METRICS, Flooded, Series, missing, parse_flood, start_flood
from tests.bench.process import cpu_s, family_cpu_s, rss_bytes
from tests.bench.servers import READY_DEADLINE_S
from tests.bench.stompload import LoadFailed

DRAIN_DEADLINE_S = 120.0
SCRAPE_PERIOD_S = 0.3  # a scrape costs the hub CPU that would be charged to the messages
QUIET_S = 25.0  # nothing new for longer than the broker's ack_wait: the rest is not coming
DASHBOARDS = 10
WINDOW = 3_000  # messages that the flood leaves unacknowledged at most
SETTLE_S = 3.0
PARTS = ("bridge", "hub", "Postgres", "broker")
MIB = 1024 * 1024
_STORED = """
    SELECT devices.name, count(*),
        (extract(epoch FROM min(ts)) * 1000)::bigint, (extract(epoch FROM max(ts)) * 1000)::bigint
    FROM readings JOIN series ON series.id = series_id JOIN devices ON devices.id = device_id
    GROUP BY devices.name, series.id
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run gave; CPU in µs a message of three metrics."""

    sent: int
    acknowledged: int
    stored: int
    lost: int
    messages_per_s: float  # from the first publish to the last commit
    cpu_us: dict[str, float]
    hub_rss_mib: float


class Stack:
    """Broker, bridge, hub and Postgres as processes, for the time of a `with` block."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._postgres = EmbeddedPostgres(directory / "postgres")
        self._broker = EmbeddedMqttBroker(directory)
        self.supervisor = Supervisor(directory / "logs")
        self._pids: dict[str, int] = {}
        self.database_url = self.mqtt_url = self.page = ""

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.supervisor.__exit__(kind, error, traceback)
        self._broker.stop()
        self._postgres.stop()

    def _start(self) -> None:
        self.database_url, self.mqtt_url = self._postgres.start(), self._broker.start()
        self.supervisor.__enter__()
        command = [child_process.program("telemetry-hub"), "serve", "--port", "0", "--stomp-port", "0"]
        command += ["--database-url", self.database_url, "--data-dir", str(self._directory / "hub")]
        hub = self.supervisor.start("hub", command)
        self.page, hub_url = hub.wait_ready(READY_DEADLINE_S)[:2]
        command = [child_process.program("telemetry-bridge"), "run", "--mqtt-url", self.mqtt_url, "--hub-url", hub_url]
        bridge = self.supervisor.start("bridge", [*command, "--health-port", "0", "--filter", "devices/+/telemetry"])
        bridge.wait_ready(READY_DEADLINE_S)
        process = self._broker.process
        if process is None:
            raise RuntimeError("the broker was started")
        self._pids = {"bridge": bridge.process.pid, "hub": hub.process.pid, "broker": process.pid}

    @property
    def mqtt_port(self) -> int:
        return self._broker.port

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds that each part has used."""
        used = {name: cpu_s(pid) for name, pid in self._pids.items()}
        return used | {"Postgres": family_cpu_s(self._postgres.postmaster_pid)}

    def hub_rss_mib(self) -> float:
        return rss_bytes(self._pids["hub"]) / MIB


def drive(directory: Path, seconds: float, dashboards: int) -> Measured:
    """Start everything, flood, drain, count."""
    with Stack(directory) as stack:
        if dashboards:
            command = [sys.executable, "-m", "tests.bench.dashboards", stack.page.rpartition(":")[2], str(dashboards)]
            stack.supervisor.start("dashboards", [*command, "/topic/readings/#"]).wait_ready(READY_DEADLINE_S)
        before, begin = stack.cpu_s(), time.monotonic()
        flooded = parse_flood(start_flood(stack.mqtt_port, seconds, WINDOW).communicate()[0])
        end = _drain(stack.page, flooded.sent * METRICS)
        after = stack.cpu_s()
        stack.supervisor.check()
        rss = stack.hub_rss_mib()
        series = asyncio.run(_series(stack.database_url))
    return _measured(flooded, series, end - begin, {name: after[name] - before[name] for name in PARTS}, rss)


@dataclass(frozen=True, slots=True)
class FleetMeasured:
    """What a paced fleet costs: each part's share of all cores, and what its simulator saw."""

    messages: int
    readings_unacknowledged: int
    seconds: float
    share: dict[str, float]  # of the time of all cores together

    @property
    def whole(self) -> float:
        """Return the share of the whole pipeline."""
        return sum(self.share.values())


def fleet(directory: Path, devices: int, seconds: float) -> FleetMeasured:
    """Measure `devices` simulated devices that send a message of three metrics each second."""
    with Stack(directory) as stack:
        command = [child_process.program("device-sim"), "run", "--devices", str(devices), "--rate", str(devices)]
        command += ["--mqtt-url", stack.mqtt_url, "--for", str(seconds)]
        simulator = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if simulator.stdout is None or not simulator.stdout.readline().startswith("ready"):
            raise LoadFailed("device-sim did not get ready")
        time.sleep(SETTLE_S)  # series are made once, at the first message of each device
        before, begin = stack.cpu_s(), time.monotonic()
        told = json.loads(simulator.communicate()[0].splitlines()[-1])
        after, took = stack.cpu_s(), time.monotonic() - begin
        stack.supervisor.check()
    share = {name: (after[name] - before[name]) / took / (os.cpu_count() or 1) for name in PARTS}
    return FleetMeasured(told["messages"], told["published"] - told["acknowledged"], took, share)


def raw(taken: list[Measured]) -> list[dict[str, object]]:
    """Return the runs for the JSON file."""
    return [asdict(one) for one in taken]


def _measured(flooded: Flooded, series: list[Series], took_s: float, cpu: dict[str, float], rss: float) -> Measured:
    stored = sum(one.count for one in series)
    messages = max(1, stored // METRICS)
    per_message = {name: seconds / messages * 1e6 for name, seconds in cpu.items()}
    lost = missing(series, flooded.acknowledged)
    return Measured(flooded.sent, flooded.acknowledged, stored, lost, messages / took_s, per_message, rss)


def _drain(page: str, readings: int) -> float:
    """Wait until as many readings are stored, or nothing comes any more; gives when the last came."""
    begin = last = time.monotonic()
    stored = 0.0
    while time.monotonic() - begin < DRAIN_DEADLINE_S:
        metrics = scrape(page)
        now_stored = metrics.get("hub_readings_stored_total", 0) + metrics.get("hub_readings_duplicate_total", 0)
        if now_stored > stored:
            stored, last = now_stored, time.monotonic()
        if stored >= readings or time.monotonic() - last > QUIET_S:
            break
        time.sleep(SCRAPE_PERIOD_S)
    return last


async def _series(database_url: str) -> list[Series]:
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(_STORED)
    finally:
        await connection.close()
    return [Series(int(row[0].rpartition("-")[2]), row[1], row[2], row[3]) for row in rows]
