"""The whole path under load: MQTT broker, bridge, hub, Postgres, each a process, on all cores together with the load.

One run floods the broker at QoS 1, waits until all is stored, and charges each part's CPU time, drain included, to the
messages. Then the database is searched for gaps.
"""

import asyncio
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import asyncpg

from hub import child_process
from hub.demo_status import scrape
from hub.embedded_mqtt import EmbeddedMqttBroker
from hub.supervisor import Supervisor
from storage.embedded import EmbeddedPostgres
from tests.bench.flood import METRICS, Flooded, Series, missing, parse_flood, parse_stock, start_flood, start_stock
from tests.bench.process import cpu_s, family_cpu_s, rss_bytes
from tests.bench.servers import READY_DEADLINE_S

DRAIN_DEADLINE_S = 120.0
SCRAPE_PERIOD_S = 0.3  # a scrape costs the hub CPU that would be charged to the messages
QUIET_S = 3.0  # nothing new was stored for so long: the rest is not coming
DASHBOARDS = 10
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


def drive(directory: Path, seconds: float, dashboards: int) -> Measured:
    """Start everything, flood, drain, count."""
    postgres = EmbeddedPostgres(directory / "postgres")
    broker = EmbeddedMqttBroker(directory)
    try:
        database_url, mqtt_url = postgres.start(), broker.start()
        with Supervisor(directory / "logs") as supervisor:
            command = [child_process.program("telemetry-hub"), "serve", "--port", "0", "--stomp-port", "0"]
            command += ["--database-url", database_url, "--data-dir", str(directory / "hub")]
            hub = supervisor.start("hub", command)
            page, hub_url = hub.wait_ready(READY_DEADLINE_S)[:2]
            command = [child_process.program("telemetry-bridge"), "run", "--mqtt-url", mqtt_url, "--hub-url", hub_url]
            bridge = supervisor.start("bridge", [*command, "--health-port", "0"])
            bridge.wait_ready(READY_DEADLINE_S)
            if dashboards:
                command = [sys.executable, "-m", "tests.bench.dashboards", page.rpartition(":")[2], str(dashboards)]
                supervisor.start("dashboards", [*command, "/topic/readings/#"]).wait_ready(READY_DEADLINE_S)
            process = broker.process
            if process is None:
                raise RuntimeError("the broker was started")
            pids = {"bridge": bridge.process.pid, "hub": hub.process.pid, "broker": process.pid}

            def cpu() -> dict[str, float]:
                return {name: cpu_s(pid) for name, pid in pids.items()} | {
                    "Postgres": family_cpu_s(postgres.postmaster_pid)
                }

            before, begin = cpu(), time.monotonic()
            flooded = parse_flood(start_flood(broker.port, seconds).communicate()[0])
            end = _drain(page, flooded.sent * METRICS)
            after = cpu()
            supervisor.check()
            rss = rss_bytes(hub.process.pid) / MIB
            series = asyncio.run(_series(database_url))
    finally:
        broker.stop()
        postgres.stop()
    return _measured(flooded, series, end - begin, {name: after[name] - before[name] for name in PARTS}, rss)


def stock(directory: Path, seconds: float) -> float:
    """Return what the stock paho subscriber costs in CPU µs a message, under the same flood."""
    broker = EmbeddedMqttBroker(directory)
    try:
        broker.start()
        subscriber = start_stock(broker.port, seconds)
        flood = start_flood(broker.port, seconds + 2)
        cpu_us = parse_stock(subscriber.communicate()[0])[1]
        flood.communicate()
    finally:
        broker.stop()
    return cpu_us


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
