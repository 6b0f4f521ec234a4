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

import asyncpg

from hub.demo.status import scrape
from hub.processes import child_process
from hub.processes.embedded_mqtt import EmbeddedMqttBroker
from tests.bench.flood import METRICS, Flooded, Series, missing, parse_flood, start_flood
from tests.bench.process import cpu_s, family_cpu_s, rss_bytes
from tests.bench.servers import READY_DEADLINE_S
from tests.bench.stompload import LoadFailed
from tests.support.system import System

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


class MeasuredSystem(System):
    """The system with its broker as shipped, and what its parts cost."""

    def __init__(self, directory: Path) -> None:
        self._embedded = EmbeddedMqttBroker(directory)
        super().__init__(directory, self._embedded)

    @property
    def mqtt_port(self) -> int:
        return self._embedded.port

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds that each part has used."""
        broker = self._embedded.process
        if broker is None:
            raise RuntimeError("the broker was started")
        processes = {"bridge": self.bridge.process, "hub": self.hub.process, "broker": broker}
        used = {name: cpu_s(process.pid) for name, process in processes.items()}
        return used | {"Postgres": family_cpu_s(self.postgres.postmaster_pid)}

    def hub_rss_mib(self) -> float:
        return rss_bytes(self.hub.process.pid) / MIB


def drive(directory: Path, seconds: float, dashboards: int) -> Measured:
    """Start everything, flood, drain, count."""
    with MeasuredSystem(directory) as system:
        if dashboards:
            command = [sys.executable, "-m", "tests.bench.dashboards", str(system.http_port), str(dashboards)]
            system.supervisor.start("dashboards", [*command, "/topic/readings/#"]).wait_ready(READY_DEADLINE_S)
        before, begin = system.cpu_s(), time.monotonic()
        flooded = parse_flood(start_flood(system.mqtt_port, seconds, WINDOW).communicate()[0])
        end = _drain(system.http_url, flooded.sent * METRICS)
        after = system.cpu_s()
        system.supervisor.check()
        rss = system.hub_rss_mib()
        series = asyncio.run(_series(system.database_url))
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
    with MeasuredSystem(directory) as system:
        command = [child_process.program("device-sim"), "run", "--devices", str(devices), "--rate", str(devices)]
        command += ["--mqtt-url", system.mqtt_url, "--for", str(seconds)]
        simulator = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if simulator.stdout is None or not simulator.stdout.readline().startswith("ready"):
            raise LoadFailed("device-sim did not get ready")
        time.sleep(SETTLE_S)  # series are made once, at the first message of each device
        before, begin = system.cpu_s(), time.monotonic()
        told = json.loads(simulator.communicate()[0].splitlines()[-1])
        after, took = system.cpu_s(), time.monotonic() - begin
        system.supervisor.check()
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


def _drain(http_url: str, readings: int) -> float:
    """Wait until as many readings are stored, or nothing comes any more; gives when the last came."""
    begin = last = time.monotonic()
    stored = 0.0
    while time.monotonic() - begin < DRAIN_DEADLINE_S:
        metrics = scrape(http_url)
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
