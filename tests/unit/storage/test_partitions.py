"""The partition plan: pure, so its properties are tested over all times and widths."""

import itertools
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from storage.partitions import Leaf, find_leaf, gap_around, instant, leaf_name, microseconds, plan

HOUR = 3_600_000_000
DAY = 24 * HOUR
NOON = microseconds(datetime(2026, 11, 20, 12, tzinfo=UTC))
MIDNIGHT = NOON - 12 * HOUR

times = st.integers(min_value=0, max_value=4_102_444_800_000_000 - 1)
widths = st.sampled_from([HOUR, 6 * HOUR, DAY, 7 * DAY])


def leaves_for(at: list[int], width: int) -> list[Leaf]:
    leaves: list[Leaf] = []
    for time in at:
        if find_leaf(leaves, time) is None:
            leaves.append(Leaf(*gap_around(leaves, time, width), ""))
            leaves.sort()
    return leaves


def test_a_leaf_is_named_by_its_begin() -> None:
    assert leaf_name("readings", MIDNIGHT) == "readings_20261120"
    assert leaf_name("readings", NOON) == "readings_20261120_120000"


def test_the_plan_makes_leaves_ahead_and_nothing_twice() -> None:
    made = plan(NOON, [], DAY, 2, None).create

    assert made == tuple((MIDNIGHT + day * DAY, MIDNIGHT + (day + 1) * DAY) for day in range(3))
    assert plan(NOON, [Leaf(*bounds, "x") for bounds in made], DAY, 2, None).create == ()


def test_only_leaves_that_ended_before_the_retention_are_dropped() -> None:
    leaves = [Leaf(MIDNIGHT - day * DAY, MIDNIGHT - (day - 1) * DAY, str(day)) for day in (3, 2, 1)]

    assert [leaf.name for leaf in plan(NOON, leaves, DAY, 0, DAY).drop] == ["3", "2"]
    assert plan(NOON, leaves, DAY, 0, None).drop == ()


@given(st.lists(st.tuples(times, widths), max_size=30))
def test_leaves_of_changing_widths_never_overlap(wishes: list[tuple[int, int]]) -> None:
    leaves: list[Leaf] = []
    for time, width in wishes:
        if find_leaf(leaves, time) is None:
            start, end = gap_around(leaves, time, width)

            assert start <= time < end <= start + width

            leaves.append(Leaf(start, end, ""))
            leaves.sort()
        assert find_leaf(leaves, time) is not None
    assert all(left.end_us <= right.start_us for left, right in itertools.pairwise(leaves))


@given(times, widths, st.integers(0, 5))
def test_after_the_plan_every_instant_ahead_has_a_leaf(now: int, width: int, ahead: int) -> None:
    leaves = [Leaf(*bounds, "") for bounds in plan(now, [], width, ahead, None).create]

    assert all(find_leaf(leaves, now + step * width) for step in range(ahead + 1))


@given(times)
def test_instants_keep_their_microseconds(time: int) -> None:
    assert microseconds(instant(time)) == time
