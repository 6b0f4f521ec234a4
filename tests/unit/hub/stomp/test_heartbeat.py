"""Heart-beats: the table of the STOMP reference (section 10), and the clock in both directions."""

import pytest

from hub.stomp.frames import FrameError
from hub.stomp.heartbeat import SEND_MARGIN, TOLERANCE, Heartbeat, Pulse, parse_heart_beat

OURS = (10_000, 10_000)


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        (None, (0, 0)),
        ("0,0", (0, 0)),
        ("10000,10000", (10_000, 10_000)),
        ("0, 0", (0, 0)),
        (" 5 , 6 ", (5, 6)),
        ("007,1", (7, 1)),
    ],
)
def test_a_heart_beat_header_is_two_numbers(text: str | None, pair: tuple[int, int]) -> None:
    assert pair == parse_heart_beat(text)


@pytest.mark.parametrize(
    "text",
    ["", "1", "1,", ",1", "1,2,3", "-1,0", "+1,0", "1.5,0", "a,b", "1e3,0", "\u0661,\u0662", "1 2,3", "9999999999,0"],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(FrameError, match="two numbers of milliseconds"):
        parse_heart_beat(text)


@pytest.mark.parametrize(
    ("client", "server", "send_ms", "expect_ms"),
    [
        ((0, 0), OURS, 0, 0),
        ((10_000, 10_000), OURS, 10_000, 10_000),
        ((1_000, 0), OURS, 0, 10_000),
        ((0, 500), OURS, 10_000, 0),
        ((20_000, 30_000), OURS, 30_000, 20_000),
        ((10_000, 10_000), (0, 0), 0, 0),
        ((10_000, 10_000), (5_000, 0), 10_000, 0),
        ((1, 1), (1, 1), 1, 1),
        ((1_234, 1_234), (1, 1), 1_234, 1_234),
    ],
)
def test_each_direction_takes_the_larger_of_offer_and_wish(
    client: tuple[int, int], server: tuple[int, int], send_ms: int, expect_ms: int
) -> None:
    heartbeat = Heartbeat(client, server, 0.0)
    assert pytest.approx(send_ms / 1000 * SEND_MARGIN) == heartbeat.send_s
    assert pytest.approx(expect_ms / 1000 * TOLERANCE) == heartbeat.expect_s


def test_without_an_agreement_nothing_is_ever_due() -> None:
    heartbeat = Heartbeat((0, 0), OURS, 5.0)
    assert heartbeat.deadline() is None
    assert Pulse.NOTHING == heartbeat.poll(1e9)


def test_a_beat_is_due_before_the_period_is_over_and_then_a_period_later() -> None:
    heartbeat = Heartbeat((0, 10_000), OURS, 100.0)
    assert Pulse.NOTHING == heartbeat.poll(107.9)
    due = heartbeat.deadline()
    assert due is not None
    assert 107.0 < due < 110.0
    assert Pulse.BEAT == heartbeat.poll(due)
    assert Pulse.NOTHING == heartbeat.poll(due)
    assert Pulse.BEAT == heartbeat.poll(due + 8.0)


def test_what_was_sent_puts_the_beat_off() -> None:
    heartbeat = Heartbeat((0, 10_000), OURS, 0.0)
    heartbeat.last_sent = 7.0
    assert Pulse.NOTHING == heartbeat.poll(9.0)


def test_a_peer_is_dead_after_two_silent_periods_and_not_before() -> None:
    heartbeat = Heartbeat((10_000, 0), OURS, 100.0)
    assert 120.0 == heartbeat.deadline()
    assert Pulse.NOTHING == heartbeat.poll(119.9)
    heartbeat.last_received = 119.9
    assert Pulse.NOTHING == heartbeat.poll(139.8)
    assert Pulse.DEAD == heartbeat.poll(140.0)


def test_periods_are_not_rounded_to_seconds() -> None:
    heartbeat = Heartbeat((1_250, 750), (600, 600), 0.0)
    assert pytest.approx(0.75 * SEND_MARGIN) == heartbeat.send_s
    assert pytest.approx(2.5) == heartbeat.expect_s
