"""F1, F2, F3, F20: kill -9 of the hub, the bridge or the broker, again and again in the middle of a run; a thousand poisons.

Nothing that was acknowledged may be missing or there twice, and readings flow again within seconds of a restart. `make
test` kills twice, `make soak` twenty times under the fault matrix' standard load; the figures of one such run are in
docs/explanation/bridge.md.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from paho.mqtt import publish as mqtt_publish

from hub.processes.embedded_mqtt import ACK_WAIT_S, EmbeddedMqttBroker
from tests.support.mosquitto import Mosquitto, shipped_config
from tests.support.system import System
from tests.support.waiting import wait_for

METRICS = 3
STORED_BEFORE = 1_500
POISONED = 1_000
# A backlog, and what a killed bridge held comes only after the broker's ack_wait.
DRAIN_S = 240
# In readings, a kill: what one turn of Mosquitto's loop acknowledges before it saves (docs/how-to/connect-your-broker.md).
MOSQUITTO_TURN = 30


class Siege(NamedTuple):
    """How often, under which load, and how soon readings must flow again."""

    kills: int
    rate: int  # messages a second, of 200 devices together
    between_s: tuple[float, float]  # at random, measured in readings: `METRICS` of a message
    resumes_within_s: float  # from the part's readiness to the next reading in the database
    ack_wait_s: int  # of the broker

    @property
    def fleet(self) -> tuple[str, ...]:
        return ("--devices", "200", "--rate", str(self.rate))


class Figures(NamedTuple):
    """What a siege took."""

    longest_start_s: float  # of the part, to its line `ready`
    longest_resume_s: float


# Other tests run beside this one.
SHORT = Siege(2, 500, (0.4, 1), 20.0, 2)
# The row of the matrix.
LONG = Siege(20, 1_000, (2, 6), 5.0, ACK_WAIT_S)


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    with System(tmp_path) as system:
        yield system


def besieged(tmp_path: Path, siege: Siege) -> System:
    return System(tmp_path, EmbeddedMqttBroker(tmp_path, ack_wait_s=siege.ack_wait_s))


@contextmanager
def load_on(system: System, siege: Siege, protocol: str = "mqtt") -> Iterator[None]:
    """A fleet sends while the block runs; it has ended in order behind it."""
    fleet = system.start_fleet(*siege.fleet, "--protocol", protocol)
    wait_for(lambda: stored(system) > STORED_BEFORE, 30)
    yield
    system.supervisor.stop(fleet, 30)


def stored(system: System) -> int:
    return int(system.query("SELECT count(*) AS n FROM readings")[0]["n"])


def more_stored(system: System, than: int) -> bool:
    return stored(system) > than


def lost_at_most(system: System, count: int) -> bool:
    return int(system.verify()["lost"]) <= count


def besiege(system: System, siege: Siege, kill: Callable[[], None], start: Callable[[], object]) -> Figures:
    """Kill, start, see readings flow; then let some time pass that is measured in readings, at random."""
    rng = random.Random(1)
    starts, resumes = [], []
    for _ in range(siege.kills):
        kill()
        killed = time.monotonic()
        start()
        ready = time.monotonic()
        before = stored(system)
        wait_for(partial(more_stored, system, before), 60)
        starts.append(ready - killed)
        resumes.append(time.monotonic() - ready)
        pause = round(siege.rate * METRICS * rng.uniform(*siege.between_s))
        wait_for(partial(more_stored, system, stored(system) + pause), 60)
    return Figures(max(starts), max(resumes))


def check(system: System, siege: Siege, *figures: Figures, may_lose: int = 0) -> None:
    wait_for(lambda: lost_at_most(system, may_lose), DRAIN_S)
    verdict = system.verify()
    found = {name: verdict[name] for name in ("acknowledged", "stored", "lost", "duplicates")}
    print(siege, figures, found)  # noqa: T201 - pytest -rP shows it

    assert verdict["lost"] <= may_lose
    assert verdict["duplicates"] == 0
    assert verdict["stored"] > siege.kills * siege.rate * METRICS * siege.between_s[0]
    assert max(of.longest_resume_s for of in figures) < siege.resumes_within_s


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_hub_and_a_bridge_that_are_killed_twice_lose_nothing(tmp_path: Path) -> None:
    """F1 and F2 in short; `device_sim/test_against_hub.py` kills the hub of devices that speak STOMP."""
    with besieged(tmp_path, SHORT) as system:
        with load_on(system, SHORT):
            hub = besiege(system, SHORT, lambda: system.kill(system.hub), system.start_hub)
            bridge = besiege(system, SHORT, lambda: system.kill(system.bridge), system.start_bridge)
        check(system, SHORT, hub, bridge)


@pytest.mark.minutes
@pytest.mark.timeout(900)
@pytest.mark.parametrize("protocol", ["mqtt", "stomp"])
def test_a_hub_that_is_killed_again_and_again_loses_nothing(tmp_path: Path, protocol: str) -> None:
    """F1: by way of the bridge, and for devices that speak STOMP to the hub."""
    with besieged(tmp_path, LONG) as system:
        with load_on(system, LONG, protocol):
            figures = besiege(system, LONG, lambda: system.kill(system.hub), system.start_hub)
        check(system, LONG, figures)


@pytest.mark.minutes
@pytest.mark.timeout(900)
def test_a_bridge_that_is_killed_again_and_again_loses_nothing(tmp_path: Path) -> None:
    """F2: what a killed bridge had taken and not acknowledged comes again after the broker's ack_wait."""
    with besieged(tmp_path, LONG) as system:
        with load_on(system, LONG):
            figures = besiege(system, LONG, lambda: system.kill(system.bridge), system.start_bridge)
        check(system, LONG, figures)


@pytest.mark.minutes
@pytest.mark.timeout(900)
def test_a_broker_that_is_killed_again_and_again_costs_no_more_than_it_acknowledged_unsaved(tmp_path: Path) -> None:
    """F3: Mosquitto in the documented configuration, which 500 messages a second fill: each is saved by itself.

    The loss is Mosquitto's, and nobody behind it can mend it.
    """
    siege = LONG._replace(rate=500)
    broker = Mosquitto(tmp_path / "mosquitto", shipped_config())
    with System(tmp_path, broker) as system:
        with load_on(system, siege):
            figures = besiege(system, siege, broker.kill, broker.start)
        check(system, siege, figures, may_lose=siege.kills * MOSQUITTO_TURN)


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
