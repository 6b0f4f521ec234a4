"""`device-sim chaos`: parts of the whole system die by kill -9 while a fleet sends, and nothing is missing at the end."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from device_sim.chaos.faults import LIBRARIES
from hub.processes import child_process
from tests.support.programs import missing, require_mosquitto, require_program

DEVICE_SIM = child_process.program("device-sim")
HISTORY = 1_100  # readings of as many days
AUDIT = ("lost", "duplicates", "phantom", "altered")


def require_faketime() -> None:
    if not any(list(Path("/").glob(pattern.lstrip("/"))) for pattern in LIBRARIES):
        raise missing("needs libfaketime; on Debian and Ubuntu: apt-get install libfaketime")


def chaos(*options: str, deadline_s: float) -> tuple[int, dict[str, Any]]:
    """Run it to its end; return the exit status and the line of figures."""
    command = [DEVICE_SIM, "chaos", *options]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=deadline_s)
    assert result.stdout.startswith("ready ws://"), result.stderr
    figures: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return result.returncode, figures


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_kill_of_each_part_loses_nothing_and_leaves_its_reports(tmp_path: Path) -> None:
    """The shortest plan in which each part gets its turn, two of them at once."""
    reports = [tmp_path / f"report.{form}" for form in ("json", "xml", "html")]
    options = [word for file in reports for word in ("--report", str(file))]

    status, figures = chaos(
        *("--seed", "74", "--minutes", str(16 / 60), "--devices", "100", "--data-dir", str(tmp_path / "chaos")),
        *options,
        deadline_s=280,
    )

    assert {name: figures[name] for name in AUDIT} == dict.fromkeys(AUDIT, 0), figures["examples"]
    assert figures["kills"] == {"hub": 1, "bridge": 1, "postgres": 1}
    assert figures["acknowledged"] == figures["stored"] == 4 * figures["messages"]
    assert (status, figures["outcome"]) == (0, "met")
    data = json.loads(reports[0].read_text())
    assert data["verdict"] == "met"
    assert [mark["name"] for mark in data["run"]["marks"]] == ["bridge+postgres", "hub"]
    assert {"acknowledged", "delivered", "stored"} <= set(data["run"]["latencies"])
    assert 'tests="5" failures="0"' in reports[1].read_text()
    assert "All 4 expectations are met" in reports[2].read_text()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_wrong_clock_another_database_and_many_days_lose_nothing(tmp_path: Path) -> None:
    require_faketime()

    status, figures = chaos(
        *("--seed", "181", "--minutes", "0.5", "--devices", "50", "--kill", "hub", "--faults", "clock,database,days"),
        *("--data-dir", str(tmp_path / "chaos")),
        deadline_s=280,
    )

    assert {name: figures[name] for name in AUDIT} == dict.fromkeys(AUDIT, 0), figures["examples"]
    assert figures["faults"] == {"clock": 1, "database": 1, "days": 1}
    assert figures["acknowledged"] == figures["stored"] == 4 * figures["messages"] + HISTORY
    assert status == 0


@pytest.mark.minutes
@pytest.mark.timeout(900)
def test_minutes_of_all_faults_behind_a_pooler_lose_nothing() -> None:
    """In session mode: behind the others the hub does not start (test_poolers.py)."""
    require_faketime()
    require_program("pgbouncer")

    status, figures = chaos(
        *(
            "--seed",
            "3",
            "--minutes",
            "4",
            "--devices",
            "100",
            "--faults",
            "clock,database,days",
            "--pooler",
            "session",
        ),
        deadline_s=880,
    )

    assert {name: figures[name] for name in AUDIT} == dict.fromkeys(AUDIT, 0), figures["examples"]
    assert min(*figures["faults"].values(), *figures["kills"].values()) >= 2
    assert status == 0


@pytest.mark.minutes
@pytest.mark.timeout(600)
def test_three_minutes_of_kills_lose_nothing(tmp_path: Path) -> None:
    status, figures = chaos("--seed", "1", "--minutes", "3", "--data-dir", str(tmp_path), deadline_s=580)

    assert {name: figures[name] for name in AUDIT} == dict.fromkeys(AUDIT, 0), figures["examples"]
    assert min(figures["kills"].values()) >= 4
    assert status == 0


@pytest.mark.minutes
@pytest.mark.timeout(600)
def test_with_the_documented_settings_a_killed_mosquitto_loses_nothing() -> None:
    """In a directory of chaos's own: pytest's lets only its owner through, and Mosquitto is another user."""
    require_mosquitto()

    status, figures = chaos(
        *("--seed", "2", "--minutes", "1", "--devices", "100", "--broker", "mosquitto"),
        *("--kill", "broker,hub,bridge,postgres"),
        deadline_s=580,
    )

    assert {name: figures[name] for name in AUDIT} == dict.fromkeys(AUDIT, 0), figures["examples"]
    assert figures["kills"]["broker"] >= 1
    assert status == 0
