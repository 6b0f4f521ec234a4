"""Small scenarios for tests of the simulator, and what comes out of their schedules."""

from typing import Any

from device_sim.message import LinkAction, Message
from device_sim.scenario.model import Scenario
from device_sim.schedule.schedule import schedule

START_US = 1_795_190_400_000_000  # 2026-11-20T16:00:00Z
SENSORS = {"temperature": {"kind": "ou", "mean": 20.0, "sigma": 1.0}, "level": {"kind": "constant", "value": 5.0}}


def scenario(*faults: dict[str, Any], duration: float = 30.0, **changes: Any) -> Scenario:
    """Ten devices of one class, one message a second each, with `faults`; `changes` are of the class."""
    device_class = {"name": "a", "count": 10, "id": "a-{number}", "rate": 1.0, "sensors": SENSORS, **changes}
    return Scenario.model_validate(
        {"name": "test", "duration": duration, "classes": [device_class], "faults": list(faults)}
    )


def events(wanted: Scenario, seed: int = 1, share: tuple[int, int] = (0, 1)) -> list[Message | LinkAction]:
    return list(schedule(wanted, seed, START_US, share))


def messages(wanted: Scenario, seed: int = 1) -> list[Message]:
    return [event for event in events(wanted, seed) if isinstance(event, Message)]


def actions(wanted: Scenario, seed: int = 1) -> list[LinkAction]:
    return [event for event in events(wanted, seed) if isinstance(event, LinkAction)]


def unnumbered(sent: list[Message]) -> list[Message]:
    """The same without numbers, which change when a message is added or missing before."""
    return [message._replace(number=0) for message in sent]
