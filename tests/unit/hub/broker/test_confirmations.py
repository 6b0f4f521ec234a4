"""Which messages wait for a consumer's ACK, and how that ends. What its sender sees: tests/unit/hub/transports."""

from collections.abc import Callable

import pytest

from hub.broker.confirmations import BEHIND, LEFT, Confirmation
from hub.broker.publication import CLIENT, Arrival
from hub.broker.subscriber import SubscriberLimits
from hub.topics.destinations import parse_destination
from tests.support.core import Hub, Peer

TOPIC = "/topic/devices/press-7/commands"


def consume(hub: Hub, destination: str = "/topic/+/+/commands", *lines: str) -> Peer:
    peer = hub.bridge()
    more = "".join(f"{line}\n" for line in lines)
    ack = "" if "ack:" in more else "ack:client-individual\n"
    peer.send(f"SUBSCRIBE\nid:c\ndestination:{destination}\n{ack}receipt-after-ack:true\n{more}\n^@")
    return peer


class Told:
    """Messages of a client, and how their receipt was settled."""

    def __init__(self, hub: Hub, *destinations: str, body: bytes = b"go") -> None:
        self.outcomes: list[str | None] = []
        batch = [Arrival(hub.broker.address(parse_destination(destination)), body) for destination in destinations]
        for token in hub.broker.publish(batch, CLIENT, confirm=True):
            assert isinstance(token, Confirmation)
            token.when_settled(self.outcomes.append)


def answer(peer: Peer, command: str = "ACK", *lines: str) -> None:
    for message in peer.messages():
        more = "".join(f"{line}\n" for line in lines)
        peer.send(f"{command}\nid:{message.headers['ack']}\n{more}\n^@")


def test_it_is_settled_when_all_consumers_of_all_messages_have_acknowledged() -> None:
    hub = Hub()
    one, other = consume(hub), consume(hub, "/topic/#")
    told = Told(hub, TOPIC, "/topic/other")
    answer(one)
    assert [] == told.outcomes
    answer(other)
    assert [None] == told.outcomes
    assert not hub.broker.confirmations


def test_a_nack_refuses_with_its_reason() -> None:
    hub = Hub()
    consumer = consume(hub)
    told = Told(hub, TOPIC)
    answer(consumer, "NACK", "reason:the broker does not take it")
    assert ["the broker does not take it"] == told.outcomes


def test_a_cumulative_ack_confirms_all_that_it_covers() -> None:
    hub = Hub()
    consumer = consume(hub, TOPIC, "ack:client")
    told = [Told(hub, TOPIC), Told(hub, TOPIC)]
    answer_to_last = consumer.messages()[-1].headers["ack"]
    consumer.send(f"ACK\nid:{answer_to_last}\n\n^@")
    assert [[None], [None]] == [each.outcomes for each in told]


def unsubscribe(peer: Peer) -> None:
    peer.send("UNSUBSCRIBE\nid:c\n\n^@")


@pytest.mark.parametrize("leave", [unsubscribe, Peer.lose])
def test_who_leaves_before_the_ack_leaves_it_unknown(leave: Callable[[Peer], None]) -> None:
    hub = Hub()
    consumer = consume(hub)
    told = Told(hub, TOPIC)
    leave(consumer)
    assert [LEFT] == told.outcomes


def test_what_waits_for_the_window_waits_for_its_ack_too() -> None:
    hub = Hub()
    consumer = consume(hub, TOPIC, "prefetch-count:1")
    told = [Told(hub, TOPIC), Told(hub, TOPIC)]
    answer(consumer)
    assert [[None], []] == [each.outcomes for each in told]
    answer(consumer)
    assert [[None], [None]] == [each.outcomes for each in told]


def test_what_does_not_fit_is_refused_and_the_consumer_stays() -> None:
    hub = Hub(client=SubscriberLimits(outbox_bytes=100_000))
    consumer = consume(hub, TOPIC, "prefetch-count:1")
    told = [Told(hub, TOPIC, body=b"x" * 40_000) for _ in range(5)]
    assert [[], [], [], [BEHIND], [BEHIND]] == [each.outcomes for each in told]
    assert 2 == hub.broker.counters.dropped["consumer-behind"]
    for _ in range(3):
        answer(consumer)
    assert [[None]] * 3 == [each.outcomes for each in told[:3]]


def test_ordinary_subscribers_are_not_waited_for() -> None:
    hub = Hub()
    hub.peer().send(f"SUBSCRIBE\nid:c\ndestination:{TOPIC}\nack:client\n\n^@")
    assert [] == Told(hub, TOPIC).outcomes
    assert not hub.broker.confirmations


def test_consumers_get_nothing_that_only_the_hub_publishes() -> None:
    hub = Hub()
    consume(hub, "/topic/+/+/commands")
    assert not hub.wanted("/topic/readings/press-7/commands")
    assert not hub.broker.routing.listening("readings")


@pytest.mark.parametrize(
    ("destination", "lines"),
    [(TOPIC, "ack:auto"), (TOPIC, "on-slow:conflate"), (TOPIC, "receipt-after-ack:yes")],
)
def test_only_who_acknowledges_every_message_of_a_topic_can_be_a_consumer(destination: str, lines: str) -> None:
    peer = Hub().bridge()
    ack = "" if lines.startswith("ack") else "ack:client\n"
    header = "" if lines.startswith("receipt") else "receipt-after-ack:true\n"
    peer.send(f"SUBSCRIBE\nid:c\ndestination:{destination}\n{ack}{header}{lines}\nreceipt:r\n\n^@")
    headers = peer.error().headers
    assert ("Bad header", "r") == (headers["message"].partition(" (")[0], headers["receipt-id"])


@pytest.mark.parametrize(("bridge", "destination"), [(False, TOPIC), (False, "/topic/#"), (True, "/queue/q")])
def test_only_a_bridge_can_make_receipts_wait_for_it(bridge: bool, destination: str) -> None:
    hub = Hub()
    peer = hub.bridge() if bridge else hub.peer()
    peer.send(f"SUBSCRIBE\nid:c\ndestination:{destination}\nack:client\nreceipt-after-ack:true\nreceipt:r\n\n^@")
    assert ("Not allowed", "r") == peer.refusal()
