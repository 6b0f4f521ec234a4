"""What a simulator's process costs while it keeps connections alive, publishes, and watches: `device-sim run`, measured."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub.processes import child_process
from hub.processes.embedded_mqtt import EmbeddedMqttBroker
from tests.bench import process
from tests.bench.cores import load_core, on_core, server_core
from tests.bench.servers import Servers

CONNECTIONS = """\
name = "connections"
duration = {seconds}
[[stages]]
seconds = {ramp}
[[classes]]
name = "meter"
count = {count}
rate = 0.01
keep_alive_s = 10
[classes.sensors.temperature]
kind = "temperature"
"""
PUBLISH = """\
name = "publish"
duration = {seconds}
[[stages]]
seconds = 2
[[classes]]
name = "device"
count = 1000
rate = {rate}
format = "{format}"
[classes.sensors."{prefix}temperature"]
kind = "temperature"
[classes.sensors."{prefix}humidity"]
kind = "humidity"
[classes.sensors."{prefix}pressure"]
kind = "pressure"
"""
WATCH = """\
name = "watch"
duration = {seconds}
[[classes]]
name = "load"
count = 1
rate = 220
link = "stomp-ws"
topic = "devices/{{device}}/telemetry"
stored_as = "{{device}}"
[classes.sensors.temperature]
kind = "temperature"
[[dashboards]]
name = "fast"
count = 1000
destinations = ["/topic/readings/#"]
"""
SETTLED_S = 4.0
"""Connections are made and imports done by then; what is measured begins here."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One line of `--json`, and what the process had used then."""

    line: dict[str, Any]
    cpu_s: float
    rss_bytes: int


@dataclass(slots=True)
class Watched:
    """A finished run."""

    shots: list[Shot] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)

    @property
    def steady(self) -> tuple[Shot, Shot]:
        """The first shot after the beginning, and the last."""
        later = [shot for shot in self.shots if shot.line["at_s"] >= SETTLED_S] or self.shots
        return later[0], later[-1]

    def per_s(self, total: str) -> float:
        """How much more of `total` there was a second."""
        first, last = self.steady
        return float((last.line[total] - first.line[total]) / max(last.line["at_s"] - first.line["at_s"], 1e-3))

    @property
    def cpu_share(self) -> float:
        first, last = self.steady
        return float((last.cpu_s - first.cpu_s) / max(last.line["at_s"] - first.line["at_s"], 1e-3))


def run(scenario: str, directory: Path, *options: str) -> Watched:
    """Run a scenario on the load's core and look at the process once a second."""
    file = directory / "scenario.toml"
    file.write_text(scenario)
    command = [child_process.program("device-sim"), "run", str(file), "--json", "--quiet", *options]
    watched = Watched()
    with on_core(load_core()):
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    with child:
        assert child.stdout is not None
        for text in child.stdout:
            if not text.startswith("{"):
                continue
            line = json.loads(text)
            if "at_s" in line:
                watched.shots.append(Shot(line, process.cpu_s(child.pid), process.rss_bytes(child.pid)))
            else:
                watched.summary = line
    assert watched.shots, f"{' '.join(command)} gave no figures, its reason is above"
    return watched


def link(url: str, connections: int, rate: float, seconds: float) -> dict[str, float]:
    """Measure the link alone."""
    command = [sys.executable, "-m", "tests.bench.simulator_link", url, str(connections), str(rate), str(seconds)]
    with on_core(load_core()):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def floor(connections: int) -> float:
    """Measure the bare system calls of a message, CPU µs."""
    command = [sys.executable, "-m", "tests.bench.simulator_floor", str(connections), "20"]
    command += [str(server_core()), str(load_core())]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@contextlib.contextmanager
def broker(directory: Path) -> Iterator[str]:
    """Run nats-server on the server's core; gives its URL."""
    nats = EmbeddedMqttBroker(directory)
    with on_core(server_core()):
        url = nats.start()
    try:
        yield url
    finally:
        nats.stop()


@contextlib.contextmanager
def hub(directory: Path) -> Iterator[str]:
    """Run the hub on the server's core; gives its WebSocket."""
    with Servers(directory) as servers, servers.hub() as server:
        yield f"ws://127.0.0.1:{server.port}/ws"
