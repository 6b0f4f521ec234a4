"""The simulator against the real hub and Postgres: load over STOMP, a dashboard, a killed hub, and the audit of it all."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.waiting import wait_for


class Processes:
    """Programs of this test with their stdout in files; none outlives it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `python -m …`, its lines in `<name>`; return when it has said ready."""
        with (self._directory / name).open("wb") as out:
            process = subprocess.Popen([sys.executable, "-m", *arguments], stdout=out)
        self._running.append(process)
        wait_for(lambda: self.lines(name)[:1] and self.lines(name)[0].startswith("ready"), 30)
        return process

    def lines(self, name: str) -> list[str]:
        return (self._directory / name).read_text().splitlines()

    def end(self) -> None:
        for process in self._running:
            process.kill()
            process.wait()


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    processes = Processes(tmp_path)
    yield processes
    processes.end()


def test_a_killed_hub_loses_nothing_acknowledged_and_dashboard_and_fleet_come_back(
    processes: Processes, database_url: str, tmp_path: Path
) -> None:
    port = str(free_port())
    hub_url, ledger = f"ws://127.0.0.1:{port}/ws", str(tmp_path / "ledger")
    serve = (
        *("hub", "serve", "--port", port, "--stomp-port", "0"),
        *("--database-url", database_url, "--data-dir", str(tmp_path / "data")),
    )
    hub = processes.start("hub-1", *serve)
    watch = processes.start("watch", "device_sim", "watch", "--hub-url", hub_url)
    to_hub = ("--protocol", "stomp", "--hub-url", hub_url, "--ledger", ledger)
    fleet = processes.start("run", "device_sim", "run", "--devices", "20", "--rate", "400", "--for", "5", *to_hub)

    wait_for(lambda: Path(ledger).read_text().count("\nR ") > 50)
    hub.send_signal(signal.SIGKILL)
    hub.wait()
    before = Path(ledger).read_text().count("\nR ")
    processes.start("hub-2", *serve)
    wait_for(lambda: Path(ledger).read_text().count("\nR ") > before + 20, 20)

    assert fleet.wait(30) == 0
    sent = json.loads(processes.lines("run")[-1])
    watch.terminate()
    assert watch.wait(15) == 0
    audit = subprocess.run(
        [sys.executable, "-m", "device_sim", "verify", "--ledger", ledger, "--database-url", database_url],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert sent["acknowledged"] == sent["published"] > 500
    verdict = json.loads(audit.stdout)
    assert (verdict["published"], verdict["acknowledged"], verdict["stored"]) == (sent["published"],) * 3
    assert [verdict[key] for key in ("lost", "duplicates", "phantom", "altered")] == [0, 0, 0, 0]
    assert audit.returncode == 0
    assert json.loads(processes.lines("watch")[-1])["delivered"] > 100
