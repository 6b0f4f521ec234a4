"""SENDs on their way: those of a transaction go together, and nobody sees a difference."""

import pytest

from hub.broker.broker import BrokerLimits
from hub.broker.client import Client, ClientLimits
from hub.broker.publisher import Arrival
from hub.broker.queues import QueueLimits
from hub.stomp.dialects import V1_2
from hub.stomp.errors import SessionError
from hub.stomp.frames import SEND, Frame, Head
from tests.support.core import Hub, Peer, Wire, no_framing

BRIDGE_STATUS = "/topic/$SYS/hub/bridges/b"


def send_frames(*destinations: str, **headers: str) -> list[Frame]:
    return [
        Frame(Head(SEND, {"destination": destination, **headers}, None), b"%d" % number, None)
        for number, destination in enumerate(destinations)
    ]


def sender(hub: Hub, own_topic: str | None = None) -> Client:
    return Client(hub.broker, Wire(), hub, no_framing, V1_2, "sender", ClientLimits(), own_topic)


def subscribed(hub: Hub, destination: str, *lines: str) -> Peer:
    peer = hub.peer()
    peer.send(f"SUBSCRIBE\nid:0\ndestination:{destination}\n{''.join(line + chr(10) for line in lines)}\n^@")
    return peer


def bodies(peer: Peer) -> str:
    return "".join(message.body.decode() for message in peer.messages())


def test_what_goes_together_keeps_its_order_and_its_numbers() -> None:
    hub = Hub()
    all_of, one, paced = (
        subscribed(hub, "/topic/#"),
        subscribed(hub, "/topic/a"),
        subscribed(hub, "/topic/a", "max-rate:1"),
    )
    publisher = sender(hub).publisher
    frames = send_frames("/topic/a", "/topic/a", "/topic/b", "/queue/q", "/topic/a")
    for number in (0, 5):  # the topics are new, and then known
        arrivals: list[Arrival] = []
        publisher.send_all(frames, False, arrivals)
        assert ["a", "a", "b", "a"] == [topic for topic, *_ in arrivals]
        messages = all_of.messages()
        assert "0124" == "".join(message.body.decode() for message in messages)
        assert [number + n for n in (1, 2, 3, 5)] == [int(message.headers["message-id"]) for message in messages]
        assert "014" == bodies(one)
    assert "0" == bodies(paced)
    assert 10 == hub.broker.counters.messages_in


def test_a_confirmation_waits_for_the_consumers_of_all_that_went_together() -> None:
    hub = Hub()
    consumer = subscribed(hub, "/topic/commands/+", "ack:client-individual", "receipt-after-ack:true")
    publisher = sender(hub).publisher
    publisher.send_all(send_frames("/topic/a", "/topic/commands/1", "/topic/a", "/topic/commands/2"), True, [])
    assert publisher.confirmation is not None
    outcomes: list[str | None] = []
    publisher.confirmation.when_settled(outcomes.append)
    messages = consumer.messages()
    assert [b"1", b"3"] == [message.body for message in messages]
    for message in messages:
        assert [] == outcomes
        consumer.send(f"ACK\nid:{message.headers['ack']}\n\n^@")
    assert [None] == outcomes


def test_what_a_bridge_sends_reaches_everybody_but_consumers() -> None:
    hub = Hub()
    consumer = subscribed(hub, "/topic/#", "ack:client-individual", "receipt-after-ack:true")
    careful, plain = subscribed(hub, "/topic/#", "ack:client"), subscribed(hub, "/topic/#")
    publisher = sender(hub, BRIDGE_STATUS).publisher
    for _ in range(2):
        publisher.send_all(send_frames("/topic/a", "/topic/a"), True, [])
    assert publisher.confirmation is None
    assert ("", "0101", "0101") == (bodies(consumer), bodies(careful), bodies(plain))


def test_what_came_before_a_send_that_is_refused_is_done_and_nothing_after_it() -> None:
    hub = Hub(BrokerLimits(queues=QueueLimits(messages=1)))
    dashboard = subscribed(hub, "/topic/#")
    publisher = sender(hub).publisher
    frames = send_frames("/topic/a", "/queue/q", "/topic/a", "/queue/q", "/topic/a")
    arrivals: list[Arrival] = []
    with pytest.raises(SessionError, match="holds 1 messages"):
        publisher.send_all(frames, False, arrivals)
    assert "02" == bodies(dashboard)
    assert [b"0", b"2"] == [body for _, body, *_ in arrivals]


def test_only_a_bridge_may_publish_on_a_reserved_topic_and_on_its_own_alone() -> None:
    hub = Hub()
    watcher = subscribed(hub, BRIDGE_STATUS)
    for _ in range(2):
        sender(hub, BRIDGE_STATUS).publisher.send_all(send_frames(BRIDGE_STATUS), False, [])
        with pytest.raises(SessionError, match="by the hub alone"):
            sender(hub).publisher.send_all(send_frames(BRIDGE_STATUS), False, [])
        with pytest.raises(SessionError, match="by the hub alone"):
            sender(hub, f"{BRIDGE_STATUS}2").publisher.send_all(send_frames(BRIDGE_STATUS), False, [])
    assert "00" == bodies(watcher)


def test_who_asks_in_a_transaction_gets_the_answer() -> None:
    hub = Hub()
    asking, service = sender(hub), subscribed(hub, "/topic/questions")
    asking.publisher.send_all(send_frames("/topic/questions", **{"reply-to": "/temp-queue/t"}), False, [])
    (question,) = service.messages()
    service.send(f"SEND\ndestination:{question.headers['reply-to']}\n\nyes^@")
    assert ["/temp-queue/t"] == list(asking.subscriptions)
    assert [True] == [item.wire.endswith(b"\n\nyes\0") for item in asking.outbox.pending]
