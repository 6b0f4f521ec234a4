"""The loads of `device-sim bench`, put on servers in turns from the load's core; its rows as they come."""

import json
import subprocess
from collections.abc import Sequence
from typing import Any

from device_sim.bench import loads
from hub.processes import child_process
from tests.bench.cores import load_core, on_core
from tests.bench.stompload import LoadFailed

START_S = 30.0
PATIENCE = 6.0
"""An overloaded server is waited for: the load, what is still under way, and the connections take so many times as long."""


def fanout(servers: Sequence[str], seconds: float, only: str = "") -> list[dict[str, Any]]:
    """Run `device-sim bench fanout`; a row for each load and server, also those that mean nothing (`invalid`)."""
    command = [child_process.program("device-sim"), "bench", "fanout", "--for", str(seconds), "--vhost", "/"]
    command += [word for url in servers for word in ("--against", url)] + ["--only", only]
    deadline_s = START_S + PATIENCE * seconds * 4 * len(servers)
    with on_core(load_core()):
        result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=deadline_s)
    if result.returncode not in {0, 3}:
        raise LoadFailed(result.stderr[-500:])
    return [json.loads(line) for line in result.stdout.splitlines()]


def names() -> list[str]:
    """Return the names of its loads."""
    return [load.name for load in loads.fanout(1.0, "")]
