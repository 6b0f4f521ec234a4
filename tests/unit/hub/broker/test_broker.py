"""The fan-out: what is remembered of topics changes nothing, everybody who matches gets each message once."""

from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hub.broker.broker import BrokerLimits
from hub.broker.publication import Address, Arrival, Publication
from hub.broker.subscriber import SubscriberLimits
from hub.topics.destinations import parse_destination
from hub.topics.names import TopicError
from tests.support.core import Hub, Peer
from tests.support.matching import filters, matches, topics


def subscribe(peer: Peer, key: str, destination: str, *lines: str) -> None:
    peer.send(f"SUBSCRIBE\nid:{key}\ndestination:{destination}\n{''.join(line + chr(10) for line in lines)}\n^@")


def commit(peer: Peer, names: str) -> None:
    """Send a message on each of some topics of one letter, which is its body as well, in a transaction."""
    sends = "".join(f"SEND\ndestination:/topic/{name}\ntransaction:t\n\n{name}^@" for name in names)
    peer.send(f"BEGIN\ntransaction:t\n\n^@{sends}COMMIT\ntransaction:t\n\n^@")


class Fanouts(RuleBasedStateMachine):
    """The model: each peer's filters by id; a message goes to each that a naive matcher says, once, in order."""

    def __init__(self) -> None:
        super().__init__()
        # So few topics and bytes are remembered that forgetting them is part of the test.
        self.hub = Hub(broker=BrokerLimits(topics=3, retained_bytes=600))
        self.peers = [self.hub.peer(version) for version in ("1.1", "1.2", "1.2")]
        self.filters: list[dict[str, str]] = [{} for _ in self.peers]
        self.publisher = self.hub.peer()
        self.number = 0

    @rule(
        who=st.integers(0, 2),
        key=st.sampled_from(["sub-0", "sub-1"]),
        wanted=filters,
        ack=st.sampled_from(["auto", "client"]),
    )
    def subscribe(self, who: int, key: str, wanted: str, ack: str) -> None:
        if key not in self.filters[who]:
            self.filters[who][key] = wanted
            subscribe(self.peers[who], key, f"/topic/{wanted}", f"ack:{ack}")

    @rule(who=st.integers(0, 2), key=st.sampled_from(["sub-0", "sub-1"]))
    def unsubscribe(self, who: int, key: str) -> None:
        if self.filters[who].pop(key, None) is not None:
            self.peers[who].send(f"UNSUBSCRIBE\nid:{key}\n\n^@")

    @rule(who=st.integers(0, 2))
    def leave(self, who: int) -> None:
        self.filters[who] = {}
        self.peers[who].lose()
        self.peers[who] = self.hub.peer()

    @rule(published=st.lists(topics, min_size=1, max_size=4), together=st.booleans())
    def publish(self, published: list[str], together: bool) -> None:
        expected: list[list[tuple[str, str, str]]] = [[] for _ in self.peers]
        transaction = "BEGIN\ntransaction:t\n\n^@"
        for topic in published:
            self.number += 1
            count = 0
            for who, wanted in enumerate(self.filters):
                for key, topic_filter in wanted.items():
                    if matches(topic_filter, topic):
                        count += 1
                        expected[who].append((key, f"/topic/{topic}", str(self.number)))
            assert bool(count) == self.hub.wanted(f"/topic/{topic}")
            # Some by a client, at once or in a transaction, some by the hub itself.
            if together:
                transaction += f"SEND\ndestination:/topic/{topic}\ntransaction:t\n\n{self.number}^@"
            elif self.number % 2:
                self.hub.publish(f"/topic/{topic}", str(self.number).encode())
            else:
                self.publisher.send(f"SEND\ndestination:/topic/{topic}\n\n{self.number}^@")
        self.publisher.send(f"{transaction}COMMIT\ntransaction:t\n\n^@")
        for who, peer in enumerate(self.peers):
            frames = [
                (one.headers["subscription"], one.headers["destination"], one.body.decode()) for one in peer.messages()
            ]
            assert sorted(expected[who]) == sorted(frames)
            for key in self.filters[who]:
                numbers = [int(body) for name, _, body in frames if name == key]
                assert sorted(numbers) == numbers

    @invariant()
    def what_is_remembered_is_bounded(self) -> None:
        known = self.hub.broker.topics
        assert len(known) <= 3
        last = [Publication(topic, *topic.last) for topic in known._topics.values() if topic.last is not None]
        assert sum(one.size for one in last) == known.bytes <= 600
        assert sum(map(len, self.filters)) == self.hub.broker.subscriptions


TestFanouts = Fanouts.TestCase
TestFanouts.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)


def test_subscribers_with_the_same_id_and_version_get_the_very_same_octets() -> None:
    hub = Hub()
    peers = [hub.peer() for _ in range(10)]
    for peer in peers:
        subscribe(peer, "sub-0", "/topic/a")
    hub.broker.flush()
    before = [len(peer.wire.data) for peer in peers]
    hub.publish("/topic/a", b"x")
    hub.publish("/topic/a", b"y")
    hub.broker.flush()
    written = {peer.wire.data[start:] for peer, start in zip(peers, before, strict=True)}
    assert 1 == len(written)
    assert 1 == len(
        {id(subscription.cohort.encode) for peer in peers for subscription in peer.client.subscriptions.values()}
    )
    assert 20 == hub.broker.counters.messages_out


def test_a_tick_asks_for_one_flush_and_each_connection_gets_one_write() -> None:
    hub = Hub()
    peers = [hub.peer() for _ in range(3)]
    for peer in peers:
        subscribe(peer, "s", "/topic/#")
    hub.broker.flush()
    hub.flushes_asked = 0
    writes = [peer.wire.writes for peer in peers]
    for number in range(10):
        hub.publish(f"/topic/{number % 3}", b"x")
    hub.broker.flush()
    assert 1 == hub.flushes_asked
    assert [count + 1 for count in writes] == [peer.wire.writes for peer in peers]


def test_overlapping_subscriptions_of_one_connection_each_get_their_message() -> None:
    peer = Hub().peer()
    for key, wanted in (("a", "/topic/x/#"), ("b", "/topic/+/y"), ("c", "/topic/x/y"), ("d", "/topic/x/y")):
        subscribe(peer, key, wanted)
    peer.send("SEND\ndestination:/topic/x/y\n\nz^@")
    assert ["a", "b", "c", "d"] == sorted(frame.headers["subscription"] for frame in peer.messages())


@pytest.mark.parametrize("destination", ["/topic/", "/topic/+", "/topic/a#"])
def test_an_illegal_topic_is_refused(destination: str) -> None:
    with pytest.raises(TopicError):
        Hub().publish(destination, b"")


def test_what_is_no_topic_is_refused() -> None:
    with pytest.raises(TopicError):
        Hub().publish("/exchange/a", b"")


# Pacing of a subscription.


def test_max_rate_sends_the_newest_when_its_time_has_come_and_tells_what_it_skipped() -> None:
    hub = Hub()
    peer = hub.peer()
    subscribe(peer, "s", "/topic/a", "max-rate:2")
    for number in range(5):
        hub.publish("/topic/a", str(number).encode())
    assert [b"0"] == [frame.body for frame in peer.messages()]
    hub.pass_time(0.5)
    (frame,) = peer.messages()
    assert (b"4", "3") == (frame.body, frame.headers["dropped"])
    hub.pass_time(10)
    assert [] == peer.messages()


def test_a_dead_band_skips_small_changes_of_readings() -> None:
    hub = Hub()
    peer = hub.peer()
    subscribe(peer, "s", "/topic/a", "dead-band:0.5")
    for value in (20.0, 20.4, 20.5, 20.1, 19.9):
        hub.publish("/topic/a", str(value).encode(), value=value)
    assert [(b"20.0", None), (b"20.5", "1"), (b"19.9", "1")] == [
        (frame.body, frame.headers.get("dropped")) for frame in peer.messages()
    ]


def test_nothing_is_held_for_a_subscription_that_has_ended() -> None:
    hub = Hub()
    for _ in range(50):
        peer = hub.peer()
        subscribe(peer, "s", "/topic/#", "max-rate:0.001")
        for number in range(40):
            hub.publish(f"/topic/{number % 20}", b"x")
        peer.send("UNSUBSCRIBE\nid:s\n\n^@")
        assert 20 == len(peer.messages())
    assert len(hub.broker.agenda) <= 20
    hub.pass_time(10_000)
    assert 0 == len(hub.broker.agenda)


# The last messages.


def test_replay_begins_with_the_last_message_of_each_topic_that_matches() -> None:
    hub = Hub()
    for topic, body in (("a/x", b"1"), ("a/y", b"2"), ("b", b"3"), ("a/x", b"4"), ("$SYS/a", b"5")):
        hub.publish(f"/topic/{topic}", body)
    for wanted, expected in (("/topic/a/+", [b"2", b"4"]), ("/topic/#", [b"2", b"3", b"4"]), ("/topic/b", [b"3"])):
        peer = hub.peer()
        subscribe(peer, "s", wanted, "replay:last")
        assert sorted(expected) == sorted(frame.body for frame in peer.messages())


def test_replay_keeps_to_prefetch_and_rate() -> None:
    hub = Hub()
    for number in range(10):
        hub.publish(f"/topic/{number}", b"x")
    peer = hub.peer()
    subscribe(peer, "s", "/topic/#", "replay:last", "ack:client", "prefetch-count:3")
    assert 3 == len(peer.messages())
    paced = hub.peer()
    subscribe(paced, "s", "/topic/#", "replay:last", "max-rate:1")
    hub.publish("/topic/5", b"y")
    assert [b"x"] * 10 == [frame.body for frame in paced.messages()]
    hub.pass_time(1)
    assert [b"y"] == [frame.body for frame in paced.messages()]


def test_replay_asks_the_sources_too_for_what_matches() -> None:
    hub = Hub()
    hub.publish("/topic/r/other", b"published")
    asked: list[tuple[str, ...]] = []

    def source(levels: tuple[str, ...]) -> Iterator[Arrival]:
        asked.append(levels)
        yield Arrival(Address(parse_destination("/topic/r/known")), b"sourced")

    hub.broker.replay_sources.append(source)
    peer = hub.peer()
    subscribe(peer, "s", "/topic/r/#", "replay:last")
    frames = {frame.headers["destination"]: frame.body for frame in peer.messages()}
    assert {"/topic/r/known": b"sourced", "/topic/r/other": b"published"} == frames
    assert [("r", "#")] == asked


def test_a_topic_that_is_forgotten_in_the_middle_of_a_transaction_is_known_again_with_its_last_message() -> None:
    hub = Hub(BrokerLimits(retained_bytes=600))  # room for two of 257
    publisher, dashboard = hub.peer(), hub.peer()
    publisher.send("SEND\ndestination:/topic/a\n\n0^@SEND\ndestination:/topic/b\n\n0^@")
    commit(publisher, "cab")
    subscribe(dashboard, "0", "/topic/+", "replay:last")
    assert [("a", b"a"), ("b", b"b")] == [
        (one.headers["destination"].removeprefix("/topic/"), one.body) for one in dashboard.messages()
    ]
    assert 514 == hub.broker.topics.bytes


def test_who_is_given_up_in_the_middle_of_a_transaction_gets_nothing_more_and_the_others_everything() -> None:
    # Topics are forgotten as well: their fan-outs are no less stale.
    hub = Hub(BrokerLimits(retained_bytes=300), SubscriberLimits(outbox_bytes=600))
    publisher, slow, dashboard = hub.peer(), hub.peer(), hub.peer()
    subscribe(slow, "0", "/topic/a", "ack:client", "prefetch-count:1", "on-slow:disconnect")
    subscribe(slow, "1", "/topic/b")
    subscribe(dashboard, "0", "/topic/#")
    commit(publisher, "ababababab")
    assert slow.closed
    assert "ababababab" == "".join(one.body.decode() for one in dashboard.messages())
    assert slow.wire.data.count(b"MESSAGE") < 10


def test_last_messages_are_bounded_with_their_headers() -> None:
    hub = Hub(broker=BrokerLimits(topics=1_000, retained_bytes=100_000))
    peer = hub.peer()
    for number in range(100):
        peer.send(f"SEND\ndestination:/topic/{number}\nk:{'x' * 5_000}\n\n^@")
    assert hub.broker.topics.bytes <= 100_000
    assert hub.broker.counters.dropped["retained-evicted"] > 70
