"""The schedule: reproducible, open-loop, evenly spread, with distinct times."""

from collections import Counter, defaultdict
from itertools import islice, pairwise

import pytest

from device_sim.errors import BadArgumentError
from device_sim.schedule.fleet import Fleet

START_US = 1_795_190_400_000_000


def test_the_same_seed_gives_the_same_bytes() -> None:
    first = list(Fleet(20, 100.0, seed=4).schedule(START_US, 5.0))
    again = list(Fleet(20, 100.0, seed=4).schedule(START_US, 5.0))

    assert first == again


def test_another_seed_gives_another_schedule() -> None:
    assert list(Fleet(20, 100.0, seed=4).schedule(START_US, 1.0)) != list(
        Fleet(20, 100.0, seed=5).schedule(START_US, 1.0)
    )


def test_the_rate_is_that_of_all_devices_together() -> None:
    messages = list(Fleet(30, 120.0).schedule(START_US, 10.0))

    assert len(messages) == 1_200
    assert Counter(message.device for message in messages) == {f"sim-{n:05d}": 40 for n in range(30)}


def test_numbers_have_no_gaps_and_intended_times_do_not_go_back() -> None:
    messages = list(Fleet(7, 33.0).schedule(START_US, 5.0))

    assert [message.number for message in messages] == list(range(len(messages)))
    assert all(earlier.due_s <= later.due_s for earlier, later in pairwise(messages))


@pytest.mark.parametrize(("devices", "rate"), [(1, 1_000.0), (5, 5_000.0), (3, 2_999.5), (100, 37.7)])
def test_a_device_never_repeats_a_time(devices: int, rate: float) -> None:
    times: dict[str, list[int]] = defaultdict(list)
    for message in islice(Fleet(devices, rate, seed=1).schedule(START_US), 5_000):
        times[message.device].append(message.time_us)
        assert message.time_us % 1_000 == 0

    assert all(earlier < later for of_one in times.values() for earlier, later in pairwise(of_one))


def test_device_time_is_the_intended_time() -> None:
    messages = list(Fleet(10, 200.0, seed=2).schedule(START_US, 30.0))

    assert all(abs(message.time_us - START_US - message.due_s * 1e6) <= 1_001 for message in messages)


@pytest.mark.parametrize(
    ("devices", "rate", "topic", "argument"),
    [
        (0, 1.0, "{device}", "--devices"),
        (1, 0.0, "{device}", "--rate"),
        (1, float("nan"), "{device}", "--rate"),
        (1, float("inf"), "{device}", "--rate"),
        (2, 2_001.0, "{device}", "--rate"),
        (1, 1.0, "all/in/one", "--topic"),
        (1, 1.0, "devices/{device}/#", "--topic"),
    ],
)
def test_a_wrong_argument_is_named(devices: int, rate: float, topic: str, argument: str) -> None:
    with pytest.raises(BadArgumentError) as caught:
        Fleet(devices, rate, topic=topic)

    assert caught.value.argument == argument
    assert str(caught.value).startswith(argument)


def test_too_high_a_rate_says_how_many_devices_would_do() -> None:
    with pytest.raises(BadArgumentError, match="--devices 3 or more"):
        Fleet(2, 2_500.0)
