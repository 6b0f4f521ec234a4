"""max-rate: the newest wins; dead-band: no change, no message; everything that is left out is counted."""

import itertools
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from hub.broker.counters import Counters
from hub.broker.options import OnSlow, Options
from hub.broker.outbox import Owed
from hub.broker.pacing import MAX_TOPICS, MOST_AT_ONCE, Pacer
from hub.broker.publication import Address, Cohort, Publication
from hub.topics.destinations import parse_destination


class Paced:
    """A pacer with a clock, and what it did."""

    def __init__(self, period_s: float = 0.0, dead_band: float = 0.0, most_bytes: int = 1 << 24) -> None:
        self.sent: list[tuple[float, str, int]] = []
        self.counters = Counters("e")
        self.wakes: list[float] = []
        self.now = 0.0
        owed = Owed(Cohort("s", lambda *_: b""), OnSlow.DROP_OLDEST, self.counters)
        options = Options(period_s=period_s, dead_band=dead_band)
        self.pacer = Pacer(options, owed, most_bytes, self._emit, self.wakes.append)

    @property
    def skipped(self) -> Counter[str]:
        return self.counters.dropped

    def offer(self, now: float, number: int, value: float | None = None, topic: str = "/topic/a") -> None:
        self.release(now)
        self.now = now
        self.hold(now, number, value, topic)

    def hold(self, now: float, number: int, value: float | None = None, topic: str = "/topic/a") -> None:
        """Offer a message, whatever is due."""
        self.pacer.offer(Publication(Address(parse_destination(topic)), number, b"", value=value), now)

    def release(self, now: float) -> None:
        """Do what the broker does at the times that were asked for."""
        while self.wakes and min(self.wakes) <= now:
            self.now = min(self.wakes)
            self.wakes.remove(self.now)
            following = self.pacer.release(self.now)
            if following is not None:
                self.wakes.append(following)

    @property
    def numbers(self) -> list[int]:
        return [number for _, _, number in self.sent]

    def _emit(self, publication: Publication, now: float) -> None:
        self.sent.append((now, publication.address.text, publication.number))


def test_the_first_message_goes_at_once_and_the_newest_when_the_period_is_over() -> None:
    paced = Paced(period_s=1.0)
    for number in range(10):
        paced.offer(number / 10, number)
    paced.release(5.0)
    assert [(0.0, 0), (1.0, 9)] == [(when, number) for when, _, number in paced.sent]
    assert {"max-rate": 8} == paced.skipped


def test_each_topic_has_its_own_rate() -> None:
    paced = Paced(period_s=1.0)
    for number, topic in enumerate(["/topic/a", "/topic/b", "/topic/a", "/topic/b"]):
        paced.offer(0.0, number, topic=topic)
    assert [0, 1] == paced.numbers
    paced.release(1.0)
    assert [0, 1, 2, 3] == paced.numbers


def test_a_release_that_comes_late_neither_sends_an_old_message_nor_one_too_early() -> None:
    paced = Paced(period_s=1.0)
    paced.offer(0.0, 1)
    paced.hold(0.5, 2)
    paced.hold(1.5, 3)  # the release of 1.0 has not come yet
    assert [1, 3] == paced.numbers
    paced.hold(1.6, 4)
    paced.pacer.release(1.7)
    assert [1, 3] == paced.numbers
    paced.pacer.release(2.5)
    assert [1, 3, 4] == paced.numbers
    assert {"max-rate": 1} == paced.skipped


def test_a_change_smaller_than_the_dead_band_is_skipped_measured_from_the_last_one_sent() -> None:
    paced = Paced(dead_band=1.0)
    for number, value in enumerate([10.0, 10.5, 10.9, 11.0, 10.1, 9.9]):
        paced.offer(float(number), number, value)
    assert [0, 3, 5] == paced.numbers
    assert {"dead-band": 3} == paced.skipped


def test_what_has_no_number_passes_a_dead_band() -> None:
    paced = Paced(dead_band=1.0)
    for number, value in enumerate([10.0, None, 10.0, 10.0]):
        paced.offer(float(number), number, value)
    assert [0, 1, 2] == paced.numbers


def test_a_value_that_is_back_before_its_time_is_not_shown_as_changed() -> None:
    paced = Paced(period_s=1.0, dead_band=1.0)
    paced.offer(0.0, 1, 10.0)
    paced.offer(0.2, 2, 20.0)
    paced.offer(0.4, 3, 10.1)
    paced.release(2.0)
    assert [1] == paced.numbers
    assert {"max-rate": 1, "dead-band": 1} == paced.skipped


def test_topics_that_are_remembered_are_bounded_and_a_held_message_is_not_lost() -> None:
    paced = Paced(period_s=1_000.0)
    paced.offer(0.0, 1, topic="/topic/first")
    paced.offer(0.0, 2, topic="/topic/first")
    for number in range(MAX_TOPICS):
        paced.offer(0.0, 10 + number, topic=f"/topic/{number}")
    assert 2 in paced.numbers
    assert MAX_TOPICS == len(paced.pacer._paces)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.125, 0.25, 0.5, 1.0]), st.integers(0, 2), st.sampled_from([0.0, 0.4, 1.0, 5.0])
        ),
        max_size=40,
    ),
    st.sampled_from([0.0, 0.5]),
)
def test_paced_messages_keep_their_rate_their_order_and_the_newest_state(
    steps: list[tuple[float, int, float]], dead_band: float
) -> None:
    paced = Paced(period_s=1.0, dead_band=dead_band)
    now = 0.0
    last: dict[str, tuple[int, float]] = {}
    values: dict[int, float] = {}
    for number, (pause, topic, value) in enumerate(steps):
        now += pause
        last[f"/topic/{topic}"] = (number, value)
        values[number] = value
        paced.offer(now, number, value, f"/topic/{topic}")
    paced.release(now + 10)
    for topic_name, (number, value) in last.items():
        sent = [(when, sent_number) for when, name, sent_number in paced.sent if name == topic_name]
        assert sorted(sent) == sent
        assert all(later - earlier >= 1.0 for (earlier, _), (later, _) in itertools.pairwise(sent))
        # What the dashboard shows in the end is the present state, within the dead band.
        shown = sent[-1][1]
        assert shown == number or abs(values[shown] - value) < dead_band
    assert len(steps) == len(paced.sent) + sum(paced.skipped.values())


def test_a_release_sends_a_bounded_number_and_asks_to_be_called_again() -> None:
    paced = Paced(period_s=1.0)
    for number in range(2 * (MOST_AT_ONCE + 10)):
        paced.hold(0.0, number, topic=f"/topic/{number // 2}")
    assert 1.0 == paced.pacer.release(1.0)
    assert 2 * MOST_AT_ONCE + 10 == len(paced.sent)
    assert paced.pacer.release(1.0) is None
    assert 2 * (MOST_AT_ONCE + 10) == len(paced.sent)
