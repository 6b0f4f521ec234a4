"""`device-sim bench` against a real hub: rows as JSON on stdout, several servers in turns."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from hub.processes import child_process
from tests.support.hub import RunningHub
from tests.support.ports import free_port
from tests.support.stomp_sink import StompSink

# device-sim that does not wait ten seconds at its end for acknowledgements which do not come.
IMPATIENT = "from device_sim import cli; from device_sim.run import publisher; publisher.DRAIN_S = 0.5; cli.main()"


def bench(*arguments: str) -> list[dict[str, Any]]:
    command = [child_process.program("device-sim"), "bench", *arguments]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    # 3: this machine, with other tests on it, may be too slow for the figures to mean anything.
    assert result.returncode in {0, 3}, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_each_load_is_a_row_for_each_server(tmp_path: Path) -> None:
    with RunningHub(tmp_path / "a") as one, RunningHub(tmp_path / "b") as other:
        servers = ("--against", one.ws_url, "--against", other.ws_url)
        rows = bench("fanout", *servers, "--for", "2", "--only", "10 subscribers, 1000")

    assert [row["server"] for row in rows] == [one.ws_url, other.ws_url]
    for row in rows:
        assert row["messages"] > 0
        assert row["acknowledged"] == row["messages"]
        assert row["delivered"] == row["due"] == 10 * row["messages"]
        assert row["delivered_p50_ms"] is not None
        assert row["server_cpu_us"] is not None


def test_idle_subscribers_cost_memory(tmp_path: Path) -> None:
    with RunningHub(tmp_path) as hub:
        (row,) = bench("connections", "--against", hub.ws_url, "--for", "2")

    assert row["delivered"] == 0
    assert row["server_kib"] > 0


def test_a_load_that_does_not_exist_is_named() -> None:
    command = [child_process.program("device-sim"), "bench", "everything"]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)

    assert result.returncode == 2
    assert "fanout, ingest, pipeline, connections" in result.stderr


def test_a_server_that_is_not_there_is_told_at_once() -> None:
    url = f"ws://127.0.0.1:{free_port()}/ws"
    command = [child_process.program("device-sim"), "bench", "fanout", "--against", url]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)

    assert (result.returncode, result.stdout) == (2, "")
    assert f"--against: cannot reach {url}" in result.stderr


async def test_a_server_that_refuses_what_is_sent_makes_the_row_invalid_with_its_own_words(sink: StompSink) -> None:
    sink.refuse = {"/topic/device-sim.bench-00000"}
    command = [sys.executable, "-c", IMPATIENT, "bench", "fanout", "--against", sink.url, "--for", "2"]
    process = await asyncio.create_subprocess_exec(
        *command, "--only", "10 subscribers, 1000", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, _ = await process.communicate()
    row = json.loads(out)

    assert process.returncode == 3
    assert (row["acknowledged"], row["delivered"]) == (0, 0)
    assert any("ERROR: refused by the test" in reason for reason in row["invalid"])
    assert "acknowledged none of" in row["invalid"][-2]
    assert "delivered none of" in row["invalid"][-1]
