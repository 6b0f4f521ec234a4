"""Each fault shows in the schedule, and only when and where it was asked for."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from device_sim.faults.registry import AnyFault
from device_sim.message import Message
from tests.support.scenarios import START_US, messages, scenario, unnumbered

AT, FOR = 10.0, 8.0
CALM = messages(scenario())
FAULT: TypeAdapter[Any] = TypeAdapter(AnyFault)


def hit(message: Message) -> bool:
    """Whether a message of the schedule without faults was to be met."""
    return AT <= message.due_s < AT + FOR and message.source == 3


def with_fault(**fault: Any) -> list[Message]:
    return messages(scenario({"at": AT, "for": FOR, "ids": ["a-3"], **fault}))


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "stuck"},
        {"kind": "spike", "by": 100},
        {"kind": "drift", "per_s": 1},
        {"kind": "nan"},
        {"kind": "drop-out"},
        {"kind": "jitter", "up_to_s": 0.5},
        {"kind": "out-of-order", "held_s": 2.5},
        {"kind": "duplicate"},
        {"kind": "malformed"},
        {"kind": "oversize", "octets": 2_000},
        {"kind": "half-open"},
        {"kind": "offline"},
        {"kind": "flapping", "up_s": 0.2, "down_s": 5},
        {"kind": "reconnect-storm"},
    ],
    ids=lambda fault: str(fault["kind"]),
)
def test_nothing_else_changes(fault: dict[str, Any]) -> None:
    """Every message that the fault does not meet is the same byte for byte, and something is not."""
    changed = with_fault(**fault)
    untouched = [message for message in unnumbered(CALM) if not hit(message)]

    assert set(untouched) <= set(unnumbered(changed))
    assert {message.source for message in set(unnumbered(changed)) ^ set(unnumbered(CALM))} <= {3}
    assert unnumbered(changed) != unnumbered(CALM)
    assert [message.number for message in changed] == list(range(len(changed)))


def pairs(changed: list[Message]) -> list[tuple[Message, Message]]:
    """The messages that were to be met: as they are without and with the fault."""
    mine = [message for message in changed if message.source == 3]
    calm = [message for message in CALM if message.source == 3]
    assert len(mine) == len(calm)
    return [(a, b) for a, b in zip(calm, mine, strict=True) if hit(a)]


def test_stuck_repeats_the_value_at_its_beginning() -> None:
    met = pairs(with_fault(kind="stuck", metrics=["temperature"]))

    assert {after.values[0] for _, after in met} == {met[0][0].values[0]}
    assert [after.values[1] for _, after in met] == [before.values[1] for before, _ in met]
    assert f'"temperature":{met[0][0].values[0]},'.encode() in met[-1][1].payload


def test_stuck_that_returns_takes_the_value_of_then() -> None:
    sent = messages(scenario({"kind": "stuck", "at": 5, "for": 5, "every": 10, "ids": ["a-3"]}))
    values = [message.values[0] for message in sent if message.source == 3]

    assert len(set(values[5:10])) == len(set(values[15:20])) == 1
    assert values[5] != values[15]


def test_spike_is_off_by_its_size_and_rare_if_asked() -> None:
    sent = messages(scenario({"kind": "spike", "by": 100, "probability": 0.2, "metrics": ["level"]}, duration=200))
    values = Counter(message.values[1] for message in sent)

    assert set(values) == {5.0, 105.0, -95.0}
    assert (values[105.0] + values[-95.0]) / len(sent) == pytest.approx(0.2, abs=0.03)
    assert values[105.0] / values[-95.0] == pytest.approx(1, abs=0.3)


def test_drift_grows_from_its_beginning() -> None:
    met = pairs(with_fault(kind="drift", per_s=0.5, metrics=["level"]))

    assert [after.values[1] for _, after in met] == [
        pytest.approx(5 + 0.5 * (before.due_s - AT), abs=0.006) for before, _ in met
    ]


def test_a_failing_machine_doubles() -> None:
    met = pairs(with_fault(kind="drift", doubling_s=2, metrics=["level"], digits=6))

    assert [after.values[1] for _, after in met] == [
        pytest.approx(5 * 2 ** ((before.due_s - AT) / 2), rel=1e-6) for before, _ in met
    ]


def test_nan_leaves_the_metric_out_of_what_must_be_stored() -> None:
    met = pairs(with_fault(kind="nan", metrics=["temperature"]))

    assert {after.metrics for _, after in met} == {("level",)}
    assert all(b'"temperature":null' in after.payload for _, after in met)
    assert {after.metrics for _, after in pairs(with_fault(kind="nan"))} == {()}


def test_drop_out_leaves_messages_out() -> None:
    assert unnumbered(with_fault(kind="drop-out")) == [m for m in unnumbered(CALM) if not hit(m)]


def test_drop_out_by_chance_leaves_its_share_out() -> None:
    calm = messages(scenario(duration=200))
    sent = messages(scenario({"kind": "drop-out", "probability": 0.3}, duration=200))

    assert set(unnumbered(sent)) < set(unnumbered(calm))
    assert len(sent) / len(calm) == pytest.approx(0.7, abs=0.03)


def test_burst_sends_more_within_each_period_with_times_of_their_own() -> None:
    changed = with_fault(kind="burst", factor=5)
    met = sum(hit(message) for message in CALM)
    burst = [m for m in changed if m.source == 3 and AT <= m.due_s < AT + FOR + 1]

    assert len(burst) == 5 * met + 1
    assert len({message.time_us for message in burst}) == len(burst)
    assert [m for m in unnumbered(changed) if m.source != 3] == [m for m in unnumbered(CALM) if m.source != 3]


@pytest.mark.parametrize(
    ("fault", "offset_us"),
    [
        ({"kind": "clock-skew", "seconds": -60}, lambda _: -60e6),
        ({"kind": "clock-skew", "seconds": 120}, lambda _: 120e6),
        ({"kind": "clock-drift", "ppm": 20_000}, lambda since: since * 20_000),
        ({"kind": "clock-drift", "ppm": -20_000}, lambda since: since * -20_000),
    ],
)
def test_a_wrong_clock_is_wrong_by_what_was_asked(fault: dict[str, Any], offset_us: Callable[[float], float]) -> None:
    for before, after in pairs(with_fault(**fault)):
        assert after.time_us - before.time_us == pytest.approx(offset_us(before.due_s - AT), abs=2_001)
        assert b"%d" % (after.time_us // 1_000) in after.payload
        assert after.due_s == before.due_s


def test_a_clock_is_right_before_and_after_but_for_the_ticks_that_it_leaves_free() -> None:
    sent = [message for message in with_fault(kind="clock-skew", seconds=-60) if message.source == 3]
    calm = [message for message in CALM if message.source == 3]

    assert {b.time_us - a.time_us for a, b in zip(calm, sent, strict=True) if not hit(a)} <= {0, -1_000}


def test_a_clock_that_is_set_back_never_repeats_a_time() -> None:
    """Half a minute later it passes the same seconds again; each reading keeps a key of its own."""
    sent = messages(scenario({"kind": "clock-jump", "seconds": -10, "at": 15}, rate=20.0))
    times = [(message.source, message.time_us) for message in sent]
    late = [message for message in sent if message.due_s >= 15]

    assert len(set(times)) == len(times)
    assert all(message.time_us == pytest.approx(START_US + (message.due_s - 10) * 1e6, abs=4_001) for message in late)
    assert min(message.time_us for message in late) < max(message.time_us for message in sent if message.due_s < 15)


def test_times_in_the_hubs_future_may_not_be_stored() -> None:
    met = pairs(with_fault(kind="clock-skew", seconds=3_600))

    assert {after.metrics for _, after in met} == {()}


def test_jitter_delays_by_up_to_what_was_asked() -> None:
    sent = with_fault(kind="jitter", up_to_s=0.5)
    delays = [after.due_s - before.due_s for before, after in pairs(sent)]

    assert all(0 <= delay <= 0.5 for delay in delays)
    assert len(set(delays)) == len(delays)
    assert [message.due_s for message in sent] == sorted(message.due_s for message in sent)


def test_messages_out_of_order_are_overtaken() -> None:
    sent = [m for m in with_fault(kind="out-of-order", held_s=2.5, probability=0.3) if m.source == 3]
    times = [message.time_us for message in sent]

    assert times != sorted(times)
    assert sorted(times) == [message.time_us for message in CALM if message.source == 3]


def test_a_duplicate_is_the_same_but_for_number_and_time_of_sending() -> None:
    sent = [message for message in with_fault(kind="duplicate", after_s=0.3, repeats=2) if message.source == 3]
    copies = Counter(message._replace(number=0, due_s=0.0) for message in sent)

    assert sorted(set(copies.values())) == [1, 3]
    assert sum(number == 3 for number in copies.values()) == sum(hit(message) for message in CALM)


@pytest.mark.parametrize("kind", ["malformed", "oversize"])
def test_damaged_messages_may_leave_nothing_behind(kind: str) -> None:
    for before, after in pairs(with_fault(kind=kind)):
        assert (after.metrics, after.values) == ((), ())
        assert after.payload != before.payload
        assert (after.topic, after.due_s, after.time_us) == (before.topic, before.due_s, before.time_us)


def test_an_oversize_message_has_the_size_that_was_asked_for() -> None:
    assert {len(after.payload) for _, after in pairs(with_fault(kind="oversize", octets=5_000))} == {5_000}


@pytest.mark.parametrize(("share", "devices"), [(0.3, 3), (0.05, 1), (1.0, 10)])
def test_a_share_of_the_devices_is_met_and_the_seed_says_which(share: float, devices: int) -> None:
    def met(seed: int) -> set[int]:
        dropped = messages(scenario({"kind": "nan", "share": share}), seed)
        return {message.source for message in dropped if not message.metrics}

    assert len(met(1)) == devices
    assert met(1) == met(1)
    assert devices == 10 or len({frozenset(met(seed)) for seed in range(10)}) > 1


def test_a_fault_that_returns_acts_as_often_as_asked() -> None:
    sent = messages(scenario({"kind": "nan", "at": 2, "for": 3, "every": 10}))

    assert {int(message.due_s) for message in sent if not message.metrics} == {2, 3, 4, 12, 13, 14, 22, 23, 24}


def test_faults_of_a_class_meet_that_class_only() -> None:
    sent = messages(scenario(faults=[{"kind": "nan"}]))

    assert not any(message.metrics for message in sent)


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ({"kind": "nan", "every": 5}, "shorter `for`"),
        ({"kind": "nan", "every": 5, "for": 5}, "shorter `for`"),
        ({"kind": "nan", "ids": ["a"], "share": 0.5}, "give one"),
        ({"kind": "drift"}, "per_s"),
        ({"kind": "clock-jump", "seconds": 5, "for": 3}, "a jump stays"),
        ({"kind": "reconnect-storm"}, "needs `for`"),
        ({"kind": "reconnect-storm", "for": 5, "within_s": 5, "every": 10}, "shorter than `every`"),
        ({"kind": "nan", "probability": 0}, "greater than 0"),
    ],
)
def test_faults_that_make_no_sense_are_refused(fault: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        FAULT.validate_python(fault)
