"""The deadlines of a connection, with a clock that the test moves."""

import pytest

from hub.stomp.deadlines import NEVER, DeadlineLimits, Deadlines, Due

LIMITS = DeadlineLimits(connect_s=10, frame_s=30, stall_s=5, close_s=2)


def opened() -> Deadlines:
    made = Deadlines(LIMITS, 0.0)
    made.opened()
    made.plan(0.0)
    return made


def test_connect_has_its_time() -> None:
    made = Deadlines(LIMITS, 0.0)
    assert (10.0, None, Due.CONNECT) == (made.at, made.due(9.9), made.due(10.0))


def test_without_anything_under_way_nobody_looks() -> None:
    assert NEVER == opened().at


def test_a_frame_that_is_not_completed_is_due() -> None:
    made = opened()
    made.frame(1.0, another=True)
    made.frame(20.0, another=False)
    assert (31.0, None, Due.FRAME) == (made.at, made.due(30.9), made.due(31.0))


def test_a_stream_that_never_rests_is_not_due() -> None:
    """Each burst of a fast publisher ends within a frame; each frame is complete with the next burst."""
    made = opened()
    for now in range(100):
        made.frame(float(now), another=True)
        assert made.due(float(now)) is None
    made.frame_complete()
    made.plan(100.0)
    assert NEVER == made.at


def test_a_peer_that_was_held_back_has_its_full_time_again() -> None:
    made = opened()
    made.frame(0.0, another=True)
    made.pause()
    made.plan(1.0)
    assert (NEVER, None) == (made.at, made.due(1_000.0))
    made.resume(1_000.0)
    assert (1_030.0, None, Due.FRAME) == (made.at, made.due(1_029.0), made.due(1_030.0))


def test_a_stall_is_told_once_in_its_time_and_ends_when_the_peer_reads() -> None:
    made = opened()
    made.writing_stalled(0.0)
    assert [None, Due.STALL, None, Due.STALL] == [made.due(now) for now in (4.0, 5.0, 6.0, 10.0)]
    made.writing_resumed()
    assert made.due(100.0) is None


def test_what_is_written_last_does_not_wait_for_ever() -> None:
    made = opened()
    made.closing(0.0)
    assert [None, Due.CLOSE, None] == [made.due(now) for now in (1.9, 2.0, 9.0)]


@pytest.mark.parametrize(("other", "at"), [(None, 31.0), (20.0, 20.0), (40.0, 31.0), (0.5, 1.05)])
def test_the_earliest_of_all_is_looked_at_but_never_at_once(other: float | None, at: float) -> None:
    made = opened()
    made.frame(1.0, another=True)
    made.plan(1.0, other, None)
    assert at == pytest.approx(made.at)
