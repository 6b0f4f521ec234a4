"""The window of unacknowledged deliveries: cumulative or one by one, bounded by prefetch."""

import pytest

from hub.broker.publication import Address, Publication
from hub.broker.window import AckWindow, Delivery
from hub.topics.destinations import queue


def window(count: int, *, cumulative: bool, prefetch: int = 10, most_bytes: int = 1 << 20) -> AckWindow:
    made = AckWindow(prefetch, most_bytes, cumulative=cumulative)
    for number in range(count):
        made.add(f"a{number}", Delivery(Publication(Address(queue("q")), number, b""), 1))
    return made


def test_client_mode_settles_all_earlier_ones_oldest_first() -> None:
    made = window(4, cumulative=True)
    assert ["a0", "a1", "a2"] == list(made.take("a2"))
    assert ["a3"] == list(made.take("a3"))


def test_client_individual_settles_one() -> None:
    made = window(4, cumulative=False)
    assert ["a2"] == list(made.take("a2"))
    assert 3 == len(made)


@pytest.mark.parametrize("cumulative", [True, False])
def test_what_is_settled_or_unknown_settles_nothing(cumulative: bool) -> None:
    made = window(2, cumulative=cumulative)
    made.take("a0")
    assert {} == made.take("a0") == made.take("zz")
    assert 1 == len(made)


def test_the_window_is_open_below_its_prefetch() -> None:
    assert window(1, cumulative=True, prefetch=2).open
    made = window(2, cumulative=True, prefetch=2)
    assert not made.open
    made.take("a0")
    assert made.open


def test_deliveries_can_be_taken_back() -> None:
    made = window(3, cumulative=True)
    taken = made.take_one("a1")
    assert taken is not None
    assert 1 == taken.publication.number
    assert made.take_one("a1") is None
    assert ["a0", "a2"] == list(made.take_all())
    assert 0 == len(made)
