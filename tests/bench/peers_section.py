"""The section "Peers": what `device-sim bench fanout` costs the hub and RabbitMQ's Web-STOMP, the same load in turns."""

import json
import subprocess
from pathlib import Path
from typing import Any

from hub import child_process
from tests.bench import machine
from tests.bench.cores import load_core, on_core, server_core
from tests.bench.effort import Effort
from tests.bench.figure import Row
from tests.bench.rabbitmq import web_stomp
from tests.bench.report import Section
from tests.bench.servers import Servers
from tests.bench.stompload import LoadFailed

TEXT = """\
`device-sim bench fanout`: one publisher at a fixed rate on one topic, each message with its receipt, 1 to 500 subscribers,
against the hub and RabbitMQ's Web-STOMP (Debian's package, stock settings), in turns, each server alone on a core, the load
on the other. The figure is the server's CPU time a delivery, RabbitMQ's over the hub's. The loads are far below what the
hub can do at most ("Fan-out" has that): at low rates there is little to batch."""


def run(effort: Effort, directory: Path) -> tuple[Section, object]:
    """Measure the loads against both."""
    facts = machine.facts()
    seconds = 3.0 if effort.quick else max(effort.seconds, 8.0)
    with Servers(directory) as servers, servers.hub() as hub:
        with on_core(server_core()):
            rabbit = web_stomp(directory / "rabbitmq")
            rabbit_url = rabbit.__enter__()
        try:
            hub_url = f"ws://127.0.0.1:{hub.port}/ws"
            measured = _bench(seconds, hub_url, rabbit_url, effort.only)
        finally:
            rabbit.__exit__(None, None, None)
    rows = [_row(*measured[at : at + 2]) for at in range(0, len(measured), 2)]
    return Section("peers", "Peers", TEXT, rows, facts), measured


def _bench(seconds: float, hub_url: str, rabbit_url: str, only: str) -> list[dict[str, Any]]:
    command = [child_process.program("device-sim"), "bench", "fanout", "--for", str(seconds), "--vhost", "/"]
    command += ["--against", hub_url, "--against", rabbit_url, "--only", only]
    with on_core(load_core()):
        result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60 + 30 * seconds)
    if result.returncode not in {0, 3}:
        raise LoadFailed(result.stderr[-500:])
    return [json.loads(line) for line in result.stdout.splitlines()]


def _row(ours: dict[str, Any], theirs: dict[str, Any]) -> Row:
    ratio = theirs["server_cpu_us"] / max(ours["server_cpu_us"], 0.001)
    invalid = sorted({*ours["invalid"], *theirs["invalid"]})
    return Row(ours["load"], _told(theirs), _told(ours), ratio, None, notes="; ".join(invalid))


def _told(row: dict[str, Any]) -> str:
    arrived = row["delivered"] / max(row["due"], 1)
    return f"{row['server_cpu_us']:.2f} µs, p99 {row['delivered_p99_ms']:.1f} ms, {arrived:.1%} delivered"
