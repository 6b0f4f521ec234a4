"""One subscription: which way a message takes, and when a queue may give it one. More in test_client and test_queues."""

import pytest

from hub.broker.counters import Counters
from hub.broker.options import AckMode, OnSlow, Options
from hub.broker.outbox import Outbox
from hub.broker.publication import Address, Cohort, Item, Publication
from hub.broker.subscription import Subscription
from hub.stomp.dialects import V1_1, V1_2, Dialect
from hub.stomp.encoder import MessageEncoder
from hub.topics.destinations import parse_destination
from tests.support.core import Wire, no_framing, server_frames


class Made:
    """A subscription with an outbox that a test looks into."""

    def __init__(self, options: Options, dialect: Dialect = V1_2, limit: int = 1_000) -> None:
        self.wire = Wire()
        self.acks: dict[str, Subscription] = {}
        counters = Counters("e")
        cohort = Cohort("s", MessageEncoder("s", dialect, no_framing, "e"))
        subscriptions: dict[str, Subscription] = {}
        self.outbox = Outbox(self.wire, limit, subscriptions, lambda _: None, lambda _: None)
        destination = parse_destination("/topic/a")
        self.subscription = Subscription(
            destination, options, cohort, self.outbox, self.acks, counters, lambda _when, _who: None
        )
        subscriptions["s"] = self.subscription

    @property
    def items(self) -> list[Item]:
        return self.outbox.pending


def publication(number: int = 1) -> Publication:
    return Publication(Address(parse_destination("/topic/a")), number, b"x")


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
    assert plain == Made(options).subscription.plain


@pytest.mark.parametrize(("dialect", "has_ack"), [(V1_1, False), (V1_2, True)])
def test_a_delivery_to_acknowledge_has_an_id_of_its_own(dialect: Dialect, has_ack: bool) -> None:
    made = Made(Options(ack=AckMode.CLIENT), dialect)
    for attempt in (1, 2):
        made.subscription.emit(publication(), attempt)
    frames = [server_frames(item.wire, dialect)[0].headers for item in made.items]
    assert list(made.acks) == [headers["message-id"] for headers in frames]
    assert 2 == len(made.acks)
    assert [has_ack, has_ack] == ["ack" in headers for headers in frames]
    assert ["false", "true"] == [headers["redelivered"] for headers in frames]


def test_a_queue_gives_to_who_has_room_and_reads() -> None:
    for options in (Options(), Options(ack=AckMode.CLIENT, prefetch=1)):
        made = Made(options)
        readiness = []
        for made.wire.busy in (False, True, False):
            readiness.append(made.subscription.ready)
        assert [True, False, True] == readiness
    made.subscription.emit(publication(), 1)
    assert not made.subscription.ready


def test_what_waits_for_the_window_is_bounded_by_giving_the_connection_up() -> None:
    made = Made(Options(ack=AckMode.CLIENT, prefetch=1, on_slow=OnSlow.DISCONNECT))
    for number in range(4):
        made.subscription.offer(publication(number), 0.0)
    assert (1, 0) == (len(made.items), made.wire.overflows)
    made.subscription.offer(publication(), 0.0)
    assert 1 == made.wire.overflows


def test_dropped_is_told_once_on_the_next_message() -> None:
    made = Made(Options())
    made.subscription.drop(3, "why")
    made.subscription.emit(publication())
    made.subscription.emit(publication())
    assert ["3", None] == [server_frames(item.wire, V1_2)[0].headers.get("dropped") for item in made.items]
    assert [3, 0] == [item.told for item in made.items]


# The first stage, with a list as its source.


def test_what_a_source_holds_comes_first_and_then_live_messages_pass() -> None:
    made = Made(Options())
    made.subscription.catch_up(iter([publication(number) for number in range(3)]))
    assert made.subscription.plain is False
    assert made.subscription.release(1.0) is None
    assert made.subscription.caught_up() is True
    made.subscription.offer(publication(9), 1.0)
    assert [0, 1, 2, 9] == [item.publication.number for item in made.items if item.publication]
    assert (True, False) == (made.subscription.plain, made.subscription.caught_up())


def test_a_source_goes_through_the_stages_behind_it() -> None:
    made = Made(Options(ack=AckMode.CLIENT, prefetch=2))
    made.subscription.catch_up(iter([publication(number) for number in range(5)]))
    sent = []
    for _ in range(3):
        made.subscription.release(1.0)
        sent.append(len(made.items))
        assert made.subscription.window is not None
        made.subscription.window.acks.take_all()
    assert [2, 4, 5] == sent
