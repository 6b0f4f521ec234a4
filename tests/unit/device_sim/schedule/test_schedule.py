"""The schedule: reproducible byte for byte, the same however it is shared out, open-loop, without memory."""

import tracemalloc
from collections import Counter, defaultdict
from itertools import islice, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_sim.errors import ScenarioError
from device_sim.message import LinkAction, LinkActionKind, Message
from device_sim.scenario.builtin import find_scenario, names
from device_sim.scenario.model import WITHOUT_END_S, Scenario
from device_sim.schedule.schedule import schedule
from tests.support.scenarios import SENSORS, START_US, actions, events, messages, scenario

FAULTS = [
    {"kind": "jitter", "up_to_s": 0.7, "share": 0.4},
    {"kind": "duplicate", "probability": 0.2, "after_s": 0.0},
    {"kind": "burst", "factor": 3, "at": 4, "for": 2, "every": 6, "share": 0.5},
    {"kind": "flapping", "at": 3, "for": 6, "up_s": 1, "down_s": 1, "share": 0.3},
    {"kind": "reconnect-storm", "at": 10, "for": 1, "within_s": 1},
    {"kind": "clock-skew", "seconds": -5, "share": 0.2},
    {"kind": "spike", "by": 3, "probability": 0.1},
]


def mixed(duration: float = 12.0) -> Scenario:
    """Two classes with different periods, stages and faults of every family."""
    return Scenario.model_validate(
        {
            "name": "mixed",
            "duration": duration,
            "stages": [{"seconds": 3}, {"seconds": 4, "rate": 2}, {"seconds": 3, "connected": 0.5}],
            "classes": [
                {"name": "a", "count": 7, "rate": 3, "sensors": SENSORS, "faults": FAULTS[:3]},
                {"name": "b", "count": 5, "rate": 0.7, "format": "senml-json", "sensors": SENSORS, "backfill": True},
            ],
            "faults": FAULTS[3:],
        }
    )


@pytest.mark.parametrize("name", names())
def test_the_same_seed_gives_the_same_octets(name: str) -> None:
    wanted = find_scenario(name).model_copy(update={"duration": 3.0, "stages": ()})

    assert events(wanted, 4) == events(wanted, 4)
    assert events(wanted, 4) != events(wanted, 5)


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 13), st.integers(0, 2**31))
def test_the_shares_of_all_processes_are_the_whole(parts: int, seed: int) -> None:
    def plain(some: list[Message | LinkAction]) -> list[Any]:
        return [event._replace(number=0) if isinstance(event, Message) else event for event in some]

    def key(event: Any) -> tuple[float, int]:
        return event.due_s, event.source

    shares = [events(mixed(), seed, (part, parts)) for part in range(parts)]
    whole = events(mixed(), seed)

    for part, share in enumerate(shares):
        assert {event.source % parts for event in share} <= {part}
        numbers = [event.number for event in share if isinstance(event, Message)]
        assert numbers == list(range(len(numbers)))
    together = [event for share in shares for event in plain(share)]
    assert sorted(together, key=key) == sorted(plain(whole), key=key)


def test_numbers_have_no_gaps_and_intended_times_do_not_go_back() -> None:
    happened = events(mixed())
    numbers = [event.number for event in happened if isinstance(event, Message)]

    assert numbers == list(range(len(numbers)))
    assert all(earlier.due_s <= later.due_s for earlier, later in pairwise(happened))
    assert all(0 <= event.due_s < 12 for event in happened)


def test_a_device_never_repeats_a_time_but_in_a_duplicate() -> None:
    keys = Counter((m.device, m.metrics, m.time_us, m.payload) for m in messages(mixed()))
    times = Counter((device, metrics, time_us) for device, metrics, time_us, _ in keys)

    assert set(times.values()) == {1}


def test_device_time_is_the_intended_time() -> None:
    assert all(0 <= START_US + m.due_s * 1e6 - m.time_us <= 1_001 for m in messages(scenario(rate=50.0)))


def test_each_class_sends_at_its_rate() -> None:
    wanted = Scenario.model_validate(
        {
            "name": "two",
            "duration": 40,
            "classes": [
                {"name": "a", "count": 3, "rate": 2, "sensors": SENSORS},
                {"name": "b", "count": 2, "rate": 0.25, "sensors": SENSORS},
            ],
        }
    )

    assert Counter(m.device[0] for m in messages(wanted)) == {"a": 240, "b": 20}


def test_devices_beat_evenly_each_at_its_own_phase() -> None:
    beats: dict[int, list[float]] = defaultdict(list)
    for message in messages(scenario(rate=0.5, count=50)):
        beats[message.source].append(message.due_s)

    assert all(b - a == pytest.approx(2.0) for due in beats.values() for a, b in pairwise(due))
    assert len({due[0] for due in beats.values()}) == 50
    assert max(due[0] for due in beats.values()) < 2.0


def staged(*stages: dict[str, float], duration: float = 40.0) -> Scenario:
    return scenario(count=100, duration=duration).model_copy(
        update={"stages": Scenario.model_validate({**scenario().model_dump(by_alias=True), "stages": stages}).stages}
    )


def test_a_ramp_connects_devices_one_after_the_other_and_a_ramp_down_disconnects_them() -> None:
    acted = actions(staged({"seconds": 10}, {"seconds": 10}, {"seconds": 10, "connected": 0.0}))
    ups = [action.due_s for action in acted if action.kind is LinkActionKind.CONNECT]
    downs = [action.due_s for action in acted if action.kind is LinkActionKind.DISCONNECT]

    assert ups == pytest.approx([0.05 + 0.1 * n for n in range(100)])
    assert downs == pytest.approx([20.05 + 0.1 * n for n in range(100)])
    assert [action.source for action in acted[:100]] != list(range(100))


def test_a_device_sends_only_while_it_is_connected() -> None:
    up: set[int] = set()
    for event in events(staged({"seconds": 10}, {"seconds": 10}, {"seconds": 10, "connected": 0.2})):
        if isinstance(event, LinkAction):
            (up.add if event.kind is LinkActionKind.CONNECT else up.discard)(event.source)
        else:
            assert event.source in up

    assert len(up) == 20


def test_a_stages_rate_makes_time_run_faster_and_after_the_last_it_is_as_before() -> None:
    wanted = staged({"seconds": 0.001}, {"seconds": 10, "rate": 3}, {"seconds": 10, "rate": 0}, duration=30)
    by_ten = Counter(int(message.due_s // 10) for message in messages(wanted))

    assert [by_ten[0], by_ten[1], by_ten[2]] == [pytest.approx(3_000, abs=3), pytest.approx(0, abs=3), 1_000]


def test_an_hour_costs_no_memory() -> None:
    """Eight thousand messages of a schedule without end are made and dropped within a few hundred kilobytes."""
    endless = schedule(scenario(duration=WITHOUT_END_S, rate=20.0), 1, START_US)
    for _ in islice(endless, 2_000):
        pass
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for _ in islice(endless, 8_000):
        pass
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert after - before < 300_000
    assert peak - before < 1_500_000


def test_a_scenario_that_contradicts_itself_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(ScenarioError, match=r"classes\.0\.rate"):
        next(schedule(scenario(format="tasmota", rate=5.0, sensors={"A.B": {"kind": "temperature"}}), 1, START_US))


def test_formats_announce_themselves_when_they_connect() -> None:
    first = messages(scenario(format="homie", id="a-{number}", sensors={"a.b": {"kind": "temperature"}}))[:30]

    assert [message.topic.rpartition("/")[2] for message in first[:3]] == ["$state", "$description", "$state"]
    assert {message.metrics for message in first[:3]} == {()}
    assert {message.retain for message in first} == {True}
