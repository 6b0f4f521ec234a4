"""A built-in scenario through broker, bridge, hub and Postgres: all formats, and every value stored as it was sent."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.system import COMMAND_DEADLINE_S, DEVICE_SIM, System


@pytest.mark.slow
def test_the_fleet_mix_is_stored_as_it_was_sent(tmp_path: Path) -> None:
    """0 lost, duplicate, phantom and altered; a machine too busy to send in time (exit status 3) has judged nothing."""
    with System(tmp_path / "system") as system:
        report = tmp_path / "report.json"
        command = [DEVICE_SIM, "run", "fleet-mix", "--for", "4", "--quiet", "--report", str(report)]
        command += ["--mqtt-url", system.mqtt_url, "--hub-url", system.hub_url, "--database-url", system.database_url]
        result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=COMMAND_DEADLINE_S)
        quarantined = system.query("SELECT topic, reason FROM quarantine")

    assert quarantined == []
    assert result.returncode in {0, 3}, result.stdout + result.stderr
    last = json.loads(result.stdout.splitlines()[-1])
    assert last["acknowledged"] == last["published"] > 200
    outcomes = {outcome["name"]: outcome["figure"] for outcome in json.loads(report.read_text())["expectations"]}
    assert outcomes == {"loss": 0, "duplicates": 0, "phantom": 0, "altered": 0}
