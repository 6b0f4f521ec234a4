"""The shared load generator `stompload` (Go): built once, run on the load's core, its line parsed.

It logs in as guest on the virtual host `/`, as RabbitMQ wants it, and charges all processes of the server.
"""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.cores import load_core, on_core
from tests.bench.process import family_pids

SHARED = Path(__file__).parents[3] / "shared/bench"
BUILD_DEADLINE_S = 300.0
RUN_DEADLINE_S = 120.0
_NUMBER = r"([0-9.]+)"
_LINE = re.compile(
    rf"in {_NUMBER} msg/s, out {_NUMBER} msg/s, receipts {_NUMBER}/s, p50 {_NUMBER} ms p99 {_NUMBER} ms, "
    rf"server cpu {_NUMBER} s/s(?:, {_NUMBER} cpu-us/delivery)?, {_NUMBER} cpu-us/publish, rss {_NUMBER} MiB"
)
_IDLE = re.compile(rf"rss {_NUMBER} -> {_NUMBER} MiB, (-?[0-9.]+) KiB/conn")


class BenchSkipped(Exception):  # noqa: N818 - it is no error
    """A benchmark cannot run here; the text says what is missing."""


class LoadFailed(Exception):  # noqa: N818 - read as a sentence
    """The load generator ended without a figure."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a run of stompload measured. Rates a second, CPU in µs of the server, times in ms."""

    published: float
    delivered: float
    receipts: float
    p50_ms: float
    p99_ms: float
    server_busy: float  # CPU seconds a second
    cpu_us_per_delivery: float
    cpu_us_per_publish: float
    rss_mib: float


def parse_load(line: str) -> Load:
    """Parse the line that stompload ends with; raises LoadFailed."""
    found = _LINE.search(line)
    if found is None:
        raise LoadFailed(f"stompload said: {line.strip()[-500:]}")
    return Load(*(float(group or 0) for group in found.groups()))


def parse_idle(line: str) -> float:
    """Return KiB a connection; raises LoadFailed."""
    found = _IDLE.search(line)
    if found is None:
        raise LoadFailed(f"stompload said: {line.strip()[-500:]}")
    return float(found[3])


class Stompload:
    """The built program."""

    def __init__(self, directory: Path) -> None:
        source = SHARED / "stompload"
        if not source.is_dir():
            raise BenchSkipped("the shared load generator (../shared/bench/stompload) is not beside this checkout")
        go = shutil.which("go")
        if go is None:
            raise BenchSkipped("stompload is written in Go; on Debian and Ubuntu: apt-get install golang-go")
        self._binary = directory / "stompload"
        subprocess.run(
            [go, "build", "-buildvcs=false", "-o", str(self._binary), "."],
            cwd=source,
            check=True,
            timeout=BUILD_DEADLINE_S,
        )

    def run(self, port: int, pid: int, arguments: Sequence[str], seconds: float) -> Load:
        """Load a server and return what came out."""
        return parse_load(self._output(port, pid, [*arguments, "-d", f"{seconds}s"]))

    def idle_kib(self, port: int, pid: int, connections: int, seconds: float) -> float:
        """Return the server's memory a connection that subscribes and then stays silent."""
        return parse_idle(self._output(port, pid, ["-subs", str(connections), "-idle", f"{seconds}s"]))

    def _output(self, port: int, pid: int, arguments: Sequence[str]) -> str:
        pids = ",".join(map(str, sorted(family_pids(pid))))
        command = [str(self._binary), "-url", f"ws://127.0.0.1:{port}/ws", "-pids", pids, *arguments]
        with on_core(load_core()):
            result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=RUN_DEADLINE_S)
        return result.stdout + result.stderr
