"""The bridge against the stock paho subscriber, both filled by the same source: what the bridge can do when nothing is slow.

The bridge relays everything as STOMP transactions and acknowledges after the receipts (of a sink that costs nothing); the
stock subscriber only counts. One process on each core: the source and the sink share the other one.
"""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from hub.processes import child_process
from hub.processes.supervisor import Supervisor
from tests.bench.cores import load_core, on_core, server_core
from tests.bench.flood import parse_stock
from tests.bench.process import cpu_s
from tests.bench.servers import READY_DEADLINE_S
from tests.bench.stompload import SHARED, BenchSkipped, LoadFailed
from tests.support.ports import free_port
from tests.support.waiting import wait_for

_FILLED = re.compile(r"acknowledged (\d+) in ([0-9.]+) s")
_DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class Taken:
    """What one subscriber took."""

    messages_per_s: float
    cpu_us: float  # of the subscriber, a message


def bridge(directory: Path, seconds: float) -> Taken:
    """Fill the bridge."""
    source_port, sink_port = free_port(), free_port()
    with Supervisor(directory / "logs") as supervisor:
        with on_core(load_core()):
            source = supervisor.start("source", _module("tests.bench.mqtt_source", str(source_port), str(seconds)))
            sink = supervisor.start("sink", _module("tests.bench.receipt_sink", str(sink_port)))
        source.wait_ready(READY_DEADLINE_S)
        sink.wait_ready(READY_DEADLINE_S)
        command = [child_process.program("telemetry-bridge"), "run", "--mqtt-url", f"mqtt://127.0.0.1:{source_port}"]
        command += ["--hub-url", f"ws://127.0.0.1:{sink_port}/ws", "--health-port", "0"]
        with on_core(server_core()):
            running = supervisor.start("bridge", [*command, "--filter", "devices/+/telemetry"])
        running.wait_ready(READY_DEADLINE_S)
        before = cpu_s(running.process.pid)
        told = source.out_path
        wait_for(lambda: _FILLED.search(told.read_text()) is not None, _DEADLINE_S)
        spent = cpu_s(running.process.pid) - before
        found = _FILLED.search(told.read_text())
    if found is None:
        raise LoadFailed("the source told no figures")
    count, took = int(found[1]), float(found[2])
    return Taken(count / took, spent / max(1, count) * 1e6)


def stock(directory: Path, seconds: float) -> Taken:
    """Fill the stock subscriber."""
    program = SHARED / "paho_baseline.py"
    if not program.exists():
        raise BenchSkipped("the shared load (../shared/bench/paho_baseline.py) is not beside this checkout")
    port = free_port()
    with Supervisor(directory / "logs") as supervisor:
        with on_core(load_core()):
            source = supervisor.start("source", _module("tests.bench.mqtt_source", str(port), str(seconds + 2)))
        source.wait_ready(READY_DEADLINE_S)
        command = [sys.executable, str(program), str(port), "1", str(seconds)]
        with on_core(server_core()):
            output = subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE_S, check=False).stdout
    rate, cpu_us = parse_stock(output)
    return Taken(rate, cpu_us)


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", name, *arguments]
