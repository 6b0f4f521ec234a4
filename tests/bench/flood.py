"""The shared MQTT load `mqtt_flood.py` and the stock paho subscriber `paho_baseline.py`, and what a flood must leave behind.

Message number i of a flood is of device i mod 1,000, with the time (start + i div 1,000) ms and three metrics, so each
series has a reading at each millisecond from the start on: what is missing shows as a gap or as a short end.
"""

import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from tests.bench.stompload import SHARED, BenchSkipped, LoadFailed

DEVICES = 1_000
METRICS = 3
_SENT = re.compile(r"sent (\d+) \((\d+)/s\), acknowledged (\d+)")
_STOCK = re.compile(r"(\d+) msg/s, ([0-9.]+) cpu-us/message")


@dataclass(frozen=True, slots=True)
class Flooded:
    """What was published."""

    sent: int
    sent_per_s: float
    acknowledged: int


@dataclass(frozen=True, slots=True)
class Series:
    """What is stored of one series; times in ms."""

    device: int
    count: int
    first_ms: int
    last_ms: int


def parse_flood(output: str) -> Flooded:
    """Parse the line that the flood ends with; raises LoadFailed."""
    found = _SENT.search(output)
    if found is None:
        raise LoadFailed(f"mqtt_flood said: {output[-500:]}")
    return Flooded(int(found[1]), float(found[2]), int(found[3]))


def parse_stock(output: str) -> tuple[float, float]:
    """Return messages/s and CPU µs a message of the stock subscriber; raises LoadFailed."""
    found = _STOCK.search(output)
    if found is None:
        raise LoadFailed(f"paho_baseline said: {output[-500:]}")
    return float(found[1]), float(found[2])


def missing(stored: Iterable[Series], acknowledged: int) -> int:
    """Count readings that were acknowledged, or lie before one that is stored, and are not there."""
    found = list(stored)
    start_ms = min((one.first_ms for one in found), default=0)
    series_of: dict[int, int] = {}
    lost = 0
    for one in found:
        series_of[one.device] = series_of.get(one.device, 0) + 1
        due = max(expected(one.device, acknowledged), one.last_ms - start_ms + 1)
        lost += due - one.count
    for device in range(DEVICES):
        lost += (METRICS - series_of.get(device, 0)) * expected(device, acknowledged)
    return lost


def expected(device: int, messages: int) -> int:
    """Return how many of the first messages are of a device."""
    return max(0, (messages - device + DEVICES - 1) // DEVICES)


def start_flood(port: int, seconds: float, window: int) -> "subprocess.Popen[str]":
    """Start publishing at QoS 1 with at most `window` messages unacknowledged."""
    return _start("mqtt_flood.py", port, seconds, str(window))


def start_stock(port: int, seconds: float) -> "subprocess.Popen[str]":
    """Start the stock subscriber; it counts from a second after it began."""
    return _start("paho_baseline.py", port, seconds)


def _start(name: str, port: int, seconds: float, *more: str) -> "subprocess.Popen[str]":
    program = SHARED / name
    if not program.exists():
        raise BenchSkipped(f"the shared load (../shared/bench/{name}) is not beside this checkout")
    command = [sys.executable, str(program), str(port), "1", str(seconds), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
