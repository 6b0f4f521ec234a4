"""Who reads when: bursts are bounded in time, and readers leave the loop to others after their turn."""

import asyncio
import time

import pytest

from hub.transports.read_turns import LEAST_BYTES, MOST_BYTES, SLICE_S, TURN_S, ReadTurns, next_size


def busy(seconds: float) -> None:
    """Hold the loop, as handling a burst does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


async def test_many_dear_bursts_leave_the_loop_to_others_between_them() -> None:
    """Thirty that are ready at once held the loop for the sum of their bursts."""
    turns = ReadTurns()
    read: list[int] = []

    def dear(number: int) -> None:
        read.append(number)
        busy(SLICE_S)

    for number in range(30):
        assert not turns.may_read(time.monotonic())
        turns.wait(lambda number=number: dear(number))  # type: ignore[misc]
    longest, before = 0.0, time.monotonic()
    while len(read) < 30:
        await asyncio.sleep(0)
        longest, before = max(longest, time.monotonic() - before), time.monotonic()

    assert list(range(30)) == read, "in the order in which they came"
    assert longest < 30 * SLICE_S / 2


async def test_within_a_turn_nobody_waits_and_the_next_turn_comes_by_itself() -> None:
    turns = ReadTurns()
    came = asyncio.Event()
    turns.wait(came.set)
    await asyncio.wait_for(came.wait(), 10)

    now = time.monotonic()
    assert turns.may_read(now)
    assert not turns.may_read(now + TURN_S)


async def test_who_comes_later_does_not_overtake_who_waits() -> None:
    turns = ReadTurns()
    order: list[str] = []
    turns.wait(lambda: busy(TURN_S))
    turns.wait(lambda: order.append("first"))
    await asyncio.sleep(0)
    assert not turns.may_read(time.monotonic())
    done = asyncio.Event()
    turns.wait(lambda: (order.append("second"), done.set()))  # type: ignore[arg-type, func-returns-value]
    await asyncio.wait_for(done.wait(), 10)

    assert ["first", "second"] == order


@pytest.mark.parametrize(
    ("size", "took_s", "expected"),
    [
        (MOST_BYTES, SLICE_S / 10, MOST_BYTES),
        (MOST_BYTES // 4, SLICE_S / 10, MOST_BYTES // 2),
        (MOST_BYTES, SLICE_S * 8, MOST_BYTES // 8),
        (MOST_BYTES, SLICE_S * 0.8, MOST_BYTES),
        (MOST_BYTES, 10.0, LEAST_BYTES),
        (LEAST_BYTES, 10.0, LEAST_BYTES),
    ],
)
def test_the_next_burst_is_as_large_as_its_time_allows(size: int, took_s: float, expected: int) -> None:
    assert expected == next_size(size, took_s)
