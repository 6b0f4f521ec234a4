"""kill -9 of the hub, and of the bridge, in the middle of a run: nothing that was acknowledged is missing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.system import ACK_WAIT_S, System
from tests.support.waiting import wait_for

STORED_BEFORE = 3_000
STORED_AFTER = 3_000
FLEET = ("--devices", "50", "--rate", "1000")


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    with System(tmp_path) as system:
        yield system


def stored(system: System) -> int:
    return int(system.query("SELECT count(*) AS n FROM readings")[0]["n"])


def all_acknowledged_is_stored(system: System) -> bool:
    return int(system.verify()["lost"]) == 0


@pytest.mark.parametrize("protocol", ["mqtt", "stomp"])
def test_a_killed_hub_loses_nothing(system: System, protocol: str) -> None:
    fleet = system.start_fleet(*FLEET, "--protocol", protocol)
    wait_for(lambda: stored(system) > STORED_BEFORE, 30)

    system.kill(system.hub)
    system.start_hub()
    before = stored(system)
    wait_for(lambda: stored(system) > before + STORED_AFTER, 60)
    system.supervisor.stop(fleet, 30)
    wait_for(lambda: all_acknowledged_is_stored(system), 60)

    verdict = system.verify()
    assert (0, 0) == (verdict["lost"], verdict["duplicates"])
    assert verdict["stored"] > STORED_BEFORE + STORED_AFTER


def test_a_killed_bridge_loses_nothing(system: System) -> None:
    fleet = system.start_fleet(*FLEET)
    wait_for(lambda: stored(system) > STORED_BEFORE, 30)

    system.kill(system.bridge)
    system.start_bridge()
    before = stored(system)
    wait_for(lambda: stored(system) > before + STORED_AFTER, 60)
    system.supervisor.stop(fleet, 30)
    # What the killed bridge had taken and not acknowledged comes again after the broker's ack_wait.
    wait_for(lambda: all_acknowledged_is_stored(system), ACK_WAIT_S + 30)

    verdict = system.verify()
    assert (0, 0) == (verdict["lost"], verdict["duplicates"])
    assert verdict["stored"] > STORED_BEFORE + STORED_AFTER
