"""One subscription: which way a message takes, and when a queue may give it one. More in test_client and test_queues."""

import pytest

from hub.broker.counters import Counters
from hub.broker.options import AckMode, OnSlow, Options
from hub.broker.publication import Address, Cohort, Item, Publication
from hub.broker.subscription import Subscription
from hub.stomp.dialects import V1_1, V1_2, Dialect
from tests.support.core import no_framing, server_frames


class Recorder:
    """A connection that keeps what it is given."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.acks: list[str] = []
        self.slow = False
        self.given_up = 0

    def push(self, item: Item) -> None:
        self.items.append(item)

    def note_ack(self, ack_id: str, subscription: Subscription) -> None:
        assert subscription.window is not None
        self.acks.append(ack_id)

    def congested(self) -> bool:
        return self.slow

    def give_up(self) -> None:
        self.given_up += 1

    def wake(self, when: float, subscription: Subscription, topic: str) -> None:
        raise AssertionError((when, subscription.key, topic))


def subscription(options: Options, recorder: Recorder, dialect: Dialect = V1_2, limit: int = 1_000) -> Subscription:
    return Subscription("/topic/a", options, Cohort("s", dialect, no_framing), recorder, Counters(), limit)


def publication(number: int = 1) -> Publication:
    return Publication(Address("/topic/a"), number, b"x")


@pytest.mark.parametrize(
    ("options", "plain"),
    [
        (Options(), True),
        (Options(replay_last=True, on_slow=OnSlow.CONFLATE), True),
        (Options(period_s=1.0), False),
        (Options(dead_band=1.0), False),
        (Options(ack=AckMode.CLIENT), False),
    ],
)
def test_only_auto_without_pacing_is_served_by_the_frame_of_all(options: Options, plain: bool) -> None:
    assert plain == subscription(options, Recorder()).plain


@pytest.mark.parametrize(("dialect", "has_ack"), [(V1_1, False), (V1_2, True)])
def test_a_delivery_to_acknowledge_has_an_id_of_its_own(dialect: Dialect, has_ack: bool) -> None:
    recorder = Recorder()
    made = subscription(Options(ack=AckMode.CLIENT), recorder, dialect)
    for attempt in (1, 2):
        made.emit(publication(), attempt)
    frames = [server_frames(item.wire, dialect)[0].headers for item in recorder.items]
    assert recorder.acks == [headers["message-id"] for headers in frames]
    assert 2 == len(set(recorder.acks))
    assert [has_ack, has_ack] == ["ack" in headers for headers in frames]
    assert ["false", "true"] == [headers["redelivered"] for headers in frames]


def test_a_queue_gives_to_who_has_room_and_reads() -> None:
    recorder = Recorder()
    for options in (Options(), Options(ack=AckMode.CLIENT, prefetch=1)):
        made = subscription(options, recorder)
        readiness = []
        for recorder.slow in (False, True, False):
            readiness.append(made.ready)
        assert [True, False, True] == readiness
    made.emit(publication(), 1)
    assert not made.ready


def test_what_waits_is_bounded_by_giving_the_connection_up() -> None:
    recorder = Recorder()
    made = subscription(Options(ack=AckMode.CLIENT, prefetch=1, on_slow=OnSlow.DISCONNECT), recorder)
    for number in range(4):
        made.offer(publication(number), 0.0)
    assert (1, 0) == (len(recorder.items), recorder.given_up)
    made.offer(publication(), 0.0)
    assert 1 == recorder.given_up


def test_dropped_is_told_once_on_the_next_message() -> None:
    recorder = Recorder()
    made = subscription(Options(), recorder)
    made.drop(3, "why")
    made.emit(publication())
    made.emit(publication())
    assert ["3", None] == [server_frames(item.wire, V1_2)[0].headers.get("dropped") for item in recorder.items]
    assert [3, 0] == [item.told for item in recorder.items]
