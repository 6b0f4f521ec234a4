"""The demo as a newcomer runs it."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import psutil

from hub.processes import child_process
from tests.support.demo import STOP_DEADLINE_S, running_demo
from tests.support.waiting import wait_for

FLEET = ("--devices", "20", "--rate", "200")
SECOND_START = 1.5  # of the first one's time, which also made the database: 0.8 on a machine that is not busy


def processes_of(data_dir: Path) -> list[psutil.Process]:
    """Return the running processes that the data directory is named to."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if process.pid != os.getpid() and any(str(data_dir) in part for part in process.info["cmdline"] or ())
    ]


def test_it_stops_by_itself_with_nothing_lost_and_starts_quickly_the_second_time(tmp_path: Path) -> None:
    started = time.monotonic()
    with running_demo(tmp_path, "--for", "2", *FLEET) as demo:
        first_start_s = time.monotonic() - started
        status, figures = demo.wait()

    assert 0 == status
    names = ["published", "acknowledged", "stored", "duplicates", "lost", "quarantined", "delivered", "seconds"]
    assert names == list(figures)
    assert (0, 0, 0) == (figures["lost"], figures["duplicates"], figures["quarantined"])
    assert figures["published"] == figures["acknowledged"] == figures["stored"] > 500
    assert figures["delivered"] >= figures["stored"]
    assert figures["seconds"] >= 2
    assert [] == processes_of(tmp_path)

    started = time.monotonic()
    with running_demo(tmp_path, *FLEET) as demo:
        second_start_s = time.monotonic() - started
        wait_for(lambda: (tmp_path / "ledger").stat().st_size > 0)
        status, figures = demo.stop()

    assert second_start_s < SECOND_START * first_start_s
    assert (0, 0) == (status, figures["lost"])
    assert [] == processes_of(tmp_path)


def test_a_part_that_dies_is_reported_and_ends_the_demo(tmp_path: Path) -> None:
    with running_demo(tmp_path, *FLEET) as demo:
        bridge = next(p for p in psutil.Process(demo.process.pid).children() if "telemetry-bridge" in p.cmdline()[1])
        bridge.send_signal(signal.SIGKILL)
        demo.process.communicate(timeout=30)

    assert 1 == demo.process.returncode
    assert "telemetry-hub: bridge: ended unexpectedly with status -9" in (tmp_path / "demo.log").read_text()
    assert [] == processes_of(tmp_path)


def test_a_second_demo_on_the_same_directory_is_told_so_and_does_no_harm(tmp_path: Path) -> None:
    with running_demo(tmp_path, *FLEET) as demo:
        command = [child_process.program("telemetry-hub"), "demo", "--no-browser", "--data-dir", str(tmp_path)]
        second = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
        status, figures = demo.stop()

    assert 1 == second.returncode
    assert f"another demo runs on {tmp_path}; stop it, or choose another --data-dir" in second.stderr
    assert (0, 0) == (status, figures["lost"])
    assert figures["stored"] == figures["acknowledged"] > 0


def test_a_second_interrupt_ends_it_without_a_proof(tmp_path: Path) -> None:
    with running_demo(tmp_path, *FLEET) as demo:
        fleet = next(p for p in psutil.Process(demo.process.pid).children() if p.cmdline()[1:3][-1] == "run")
        demo.process.send_signal(signal.SIGINT)
        fleet.wait(STOP_DEADLINE_S)
        demo.process.send_signal(signal.SIGINT)
        out, _ = demo.process.communicate(timeout=30)

    assert (130, "") == (demo.process.returncode, out)
    assert "nothing is proved" in (tmp_path / "demo.log").read_text()
    assert [] == processes_of(tmp_path)


def test_killed_it_leaves_no_process_behind(tmp_path: Path) -> None:
    with running_demo(tmp_path, *FLEET) as demo:
        demo.process.kill()

    wait_for(lambda: not processes_of(tmp_path), 40)


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [child_process.program("telemetry-hub"), "demo", "--no-browser", "--data-dir", str(tmp_path)]
        result = subprocess.run(
            [*command, "--port", str(port)], check=False, capture_output=True, text=True, timeout=30
        )

    assert 1 == result.returncode
    assert f"web page: port {port} on 127.0.0.1 is in use" in result.stderr
