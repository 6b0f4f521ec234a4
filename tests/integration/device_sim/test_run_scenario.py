"""`device-sim run SCENARIO` as processes against a real broker: shares, signals, reports, exit status.

One run of two seconds with all its outputs serves several tests, and one broker serves all.
"""

import json
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from device_sim.ledger.reader import read_ledger
from tests.support.mosquitto import Mosquitto
from tests.support.waiting import wait_for

SCENARIO = """\
name = "test"
seed = 5
duration = 2
{more}
[[classes]]
name = "meter"
count = 40
rate = 5
keep_alive_s = 10
{link}
[classes.sensors.temperature]
kind = "temperature"
[[faults]]
kind = "flapping"
at = 0.5
for = 1.0
share = 0.2
"""


EXPECTATIONS = '[expectations]\nmessages = "> 100"\nunacknowledged = "> 1000000"'


class Run(NamedTuple):
    """A run that has ended; its ledger and its reports lie in `directory`."""

    done: subprocess.CompletedProcess[str]
    directory: Path


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path_factory.mktemp("mosquitto")) as broker:
        yield broker


@pytest.fixture(scope="module")
def run(mosquitto: Mosquitto, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A whole run by one process, with two expectations of which one is not met."""
    directory = tmp_path_factory.mktemp("run")
    reports = (f"--report={directory / name}" for name in ("report.json", "report.xml"))
    arguments = ("--ledger", str(directory / "ledger"), "--json", *reports)
    return Run(finished(*command(written(directory, EXPECTATIONS), mosquitto, *arguments)), directory)


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    return written(tmp_path)


def written(directory: Path, more: str = "", link: str = "") -> Path:
    file = directory / "test.toml"
    file.write_text(SCENARIO.format(more=more, link=link))
    return file


def command(file: Path, mosquitto: Mosquitto, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "device_sim", "run", str(file), "--mqtt-url", mosquitto.url, *arguments]


def finished(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)


def test_a_scenario_runs_and_its_last_line_counts(mosquitto: Mosquitto, run: Run) -> None:
    lines = run.done.stdout.splitlines()
    summary = json.loads(lines[-1])
    entries = list(read_ledger(run.directory / "ledger"))

    assert lines[0] == f"ready {mosquitto.url}"
    assert summary["acknowledged"] == summary["published"] == sum(len(entry.metrics) for entry in entries) > 200
    assert len({entry.device for entry in entries}) == 40


def test_the_shares_of_three_processes_are_the_whole(
    mosquitto: Mosquitto, scenario: Path, tmp_path: Path, run: Run
) -> None:
    """Same devices, same values, whoever sends them; of three processes each has a share and a ledger of its own."""
    shared = finished(*command(scenario, mosquitto, "--ledger", str(tmp_path / "part"), "--processes", "3", "--quiet"))
    of_one = sorted((entry.device, entry.values) for entry in read_ledger(run.directory / "ledger"))
    parts = [list(read_ledger(tmp_path / f"part.{part}")) for part in range(3)]

    assert shared.returncode in {0, 3}, shared.stderr  # 3: this machine was too busy for the figures to mean anything
    assert len(shared.stdout.splitlines()) == 2
    assert shared.stdout.splitlines()[0] == run.done.stdout.splitlines()[0]
    assert {len({entry.device for entry in part}) for part in parts} == {13, 14}
    of_three = sorted((entry.device, entry.values) for part in parts for entry in part)
    assert [device for device, _ in of_three] == [device for device, _ in of_one]
    summary = json.loads(shared.stdout.splitlines()[-1])
    assert summary["messages"] == len(of_three)
    assert summary["acknowledged"] == summary["published"]


@pytest.mark.parametrize("processes", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_in_order(
    mosquitto: Mosquitto, scenario: Path, tmp_path: Path, processes: str, number: signal.Signals
) -> None:
    out = tmp_path / "out"
    with out.open("wb") as file:
        process = subprocess.Popen(
            command(scenario, mosquitto, "--for", "60", "--processes", processes, "--json", "--quiet"), stdout=file
        )
    wait_for(lambda: out.read_text().count('"sent_per_s"') >= 1, 20)
    process.send_signal(number)

    assert process.wait(15) in {0, 3}
    summary = json.loads(out.read_text().splitlines()[-1])
    assert summary["acknowledged"] == summary["published"] > 0


def test_json_gives_a_line_a_second(run: Run) -> None:
    _, *lines, _ = run.done.stdout.splitlines()
    shots = [json.loads(line) for line in lines]

    assert len(shots) >= 1
    assert shots[0]["devices"] == 40
    assert 0 < shots[-1]["up"] <= 40
    assert any(shot["faults"] == ["flapping"] for shot in shots)


def test_reports_are_written_and_an_expectation_that_is_not_met_is_the_exit_status(run: Run) -> None:
    report = json.loads((run.directory / "report.json").read_bytes())

    assert run.done.returncode in {1, 3}, run.done.stderr
    assert [one["met"] for one in report["expectations"]] == [True, False]
    assert report["run"]["messages"] > 100
    assert {mark["name"] for mark in report["run"]["marks"]} == {"flapping"}
    assert report["run"]["latencies"]["acknowledged"]["count"] == report["run"]["acknowledged"]
    assert b"<testsuite" in (run.directory / "report.xml").read_bytes()
    assert "unacknowledged" in run.done.stderr


def test_options_of_the_simple_fleet_are_refused_beside_a_scenario(mosquitto: Mosquitto, scenario: Path) -> None:
    done = finished(*command(scenario, mosquitto, "--protocol", "mqtt"))

    assert done.returncode == 2
    assert "--protocol" in done.stderr


def _limit(soft: int, hard: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_mqtt_5_devices_and_the_limit_of_open_files_is_raised_where_it_may_be(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    done = subprocess.run(
        command(written(tmp_path, link='link = "mqtt5"'), mosquitto, "--quiet", "--for", "1.2"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=_limit(64, 1_000),
    )

    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["acknowledged"] == summary["published"] > 100


def test_a_hard_limit_of_open_files_that_is_too_low_is_told(mosquitto: Mosquitto, scenario: Path) -> None:
    done = subprocess.run(
        command(scenario, mosquitto, "--quiet"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=_limit(64, 100),
    )

    assert done.returncode == 2
    assert "40 connections need 140 open files and the hard limit is 100" in done.stderr
