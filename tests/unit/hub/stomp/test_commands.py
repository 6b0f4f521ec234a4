"""SENDs on their way: those of a transaction or a burst go together, and nobody sees a difference."""

import pytest

from hub.access.logins import Login
from hub.broker.broker import BrokerLimits
from hub.broker.publication import Arrival, Origin
from hub.broker.queues import QueueLimits
from hub.stomp.commands import MAX_SENDINGS
from tests.support.core import Hub, Peer

BRIDGE_STATUS = "/topic/$SYS/bridge/b"


def sends(*destinations: str, transaction: str | None = None, **headers: str) -> str:
    """Return SENDs whose bodies count them, in a transaction that is committed."""
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    lines += f"transaction:{transaction}\n" if transaction else ""
    text = "".join(
        f"SEND\ndestination:{destination}\n{lines}\n{number}^@" for number, destination in enumerate(destinations)
    )
    return (
        f"BEGIN\ntransaction:{transaction}\n\n^@{text}COMMIT\ntransaction:{transaction}\n\n^@" if transaction else text
    )


def subscribed(hub: Hub, destination: str, *lines: str, peer: Peer | None = None) -> Peer:
    peer = peer or hub.peer()
    peer.send(f"SUBSCRIBE\nid:0\ndestination:{destination}\n{''.join(line + chr(10) for line in lines)}\n^@")
    return peer


def consumer(hub: Hub, destination: str) -> Peer:
    return subscribed(hub, destination, "ack:client-individual", "receipt-after-ack:true", peer=hub.bridge("down"))


def bodies(peer: Peer) -> str:
    return "".join(message.body.decode() for message in peer.messages())


def tapped(hub: Hub) -> list[tuple[str, bytes, str, str]]:
    """Return what telemetry would see: topic, body, origin and principal."""
    seen: list[tuple[str, bytes, str, str]] = []

    def tap(batch: "list[Arrival]", origin: Origin) -> tuple[()]:
        seen.extend((arrival.address.name, arrival.body, origin.name, origin.principal) for arrival in batch)
        return ()

    hub.broker.taps.append(tap)  # type: ignore[arg-type]
    return seen


@pytest.mark.parametrize("transaction", ["t", None])
def test_what_goes_together_keeps_its_order_and_its_numbers(transaction: str | None) -> None:
    hub = Hub()
    all_of, one = subscribed(hub, "/topic/#"), subscribed(hub, "/topic/a")
    paced = subscribed(hub, "/topic/a", "max-rate:1")
    seen = tapped(hub)
    publisher = hub.peer()
    for number in (0, 5):  # the topics are new, and then known
        publisher.send(sends("/topic/a", "/topic/a", "/topic/b", "/queue/q", "/topic/a", transaction=transaction))
        messages = all_of.messages()
        assert "0124" == "".join(message.body.decode() for message in messages)
        assert [f"e-{number + n}" for n in (1, 2, 3, 5)] == [message.headers["message-id"] for message in messages]
        assert "014" == bodies(one)
    assert ["a", "a", "b", "a"] * 2 == [topic for topic, *_ in seen]
    assert "0" == bodies(paced)
    assert 10 == hub.broker.counters.messages_in


def test_a_receipt_waits_for_the_consumers_of_all_that_went_together() -> None:
    hub = Hub()
    taking, publisher = consumer(hub, "/topic/commands/+"), hub.peer()
    text = sends("/topic/a", "/topic/commands/1", "/topic/a", "/topic/commands/2", transaction="t")
    publisher.send(text.replace("COMMIT\n", "COMMIT\nreceipt:r\n"))
    messages = taking.messages()
    assert [b"1", b"3"] == [message.body for message in messages]
    for message in messages:
        assert [] == publisher.frames()
        taking.send(f"ACK\nid:{message.headers['ack']}\n\n^@")
    assert ["r"] == [frame.headers["receipt-id"] for frame in publisher.frames()]


def test_in_one_burst_only_the_receipts_of_commands_wait_for_their_consumer() -> None:
    hub = Hub()
    consumer(hub, "/topic/commands/+")
    publisher = hub.peer()
    burst = "".join(
        f"SEND\ndestination:/topic/{topic}\nreceipt:{number}\n\nx^@"
        for number, topic in enumerate(["a", "commands/1", "b", "commands/2", "c"])
    )
    publisher.send(burst)
    assert ["0", "2", "4"] == [frame.headers["receipt-id"] for frame in publisher.frames()]


def test_what_a_bridge_sends_reaches_everybody_but_consumers() -> None:
    hub = Hub()
    taking = consumer(hub, "/topic/#")
    careful, plain = subscribed(hub, "/topic/#", "ack:client"), subscribed(hub, "/topic/#")
    bridge = hub.bridge()
    for _ in range(2):
        bridge.send(sends("/topic/a", "/topic/a", transaction="t"))
    assert not hub.broker.confirmations
    assert ("", "0101", "0101") == (bodies(taking), bodies(careful), bodies(plain))


def test_a_transaction_that_cannot_be_done_whole_is_not_done_at_all() -> None:
    hub = Hub(BrokerLimits(queues=QueueLimits(messages=1)))
    dashboard, publisher = subscribed(hub, "/topic/#"), hub.peer()
    seen = tapped(hub)
    publisher.send(sends("/topic/a", "/queue/q", "/topic/a", "/queue/q", transaction="t"))
    assert ("Queue full", None) == publisher.refusal()
    assert ("", [], 0) == (bodies(dashboard), seen, len(hub.broker.queues))


def test_of_a_burst_what_came_before_a_send_that_is_refused_is_done_and_nothing_after_it() -> None:
    hub = Hub(BrokerLimits(queues=QueueLimits(messages=1)))
    dashboard, publisher = subscribed(hub, "/topic/#"), hub.peer()
    seen = tapped(hub)
    publisher.send(sends("/topic/a", "/queue/q", "/topic/a", "/queue/q", "/topic/a"))
    assert ("Queue full", None) == publisher.refusal()
    assert "02" == bodies(dashboard)
    assert [b"0", b"2"] == [body for _, body, *_ in seen]


def test_a_bridge_may_publish_on_its_own_reserved_topic_and_nobody_else_may() -> None:
    hub = Hub()
    watcher = subscribed(hub, "/topic/$SYS/bridge/+")
    for _ in range(2):
        hub.bridge("b").send(sends(BRIDGE_STATUS, transaction="t"))
        for other in (hub.peer(), hub.bridge("c")):
            other.send(sends("/topic/devices/a", BRIDGE_STATUS, transaction="t"))
            assert ("Not allowed", None) == other.refusal()
    assert "00" == bodies(watcher)


def test_what_one_connection_may_send_says_nothing_about_another() -> None:
    """The same bytes, a bridge's first: a transaction is refused whole, not half done."""
    hub = Hub()
    seen = tapped(hub)
    text = sends("/topic/devices/a/telemetry", BRIDGE_STATUS, transaction="t")
    hub.bridge("b").send(text)
    assert 2 == len(seen)
    client = hub.peer()
    client.send(text)
    assert ("Not allowed", None) == client.refusal()
    assert 2 == len(seen)


@pytest.mark.parametrize("topic", ["readings", "$SYS", "readings/a/b", "$SYS/hub/stats"])
def test_nobody_forges_what_the_hub_publishes(topic: str) -> None:
    hub = Hub()
    for peer in (hub.peer(), hub.bridge()):
        peer.send(sends(f"/topic/{topic}"))
        assert ("Not allowed", None) == peer.refusal()


def test_arrivals_carry_where_they_come_from() -> None:
    hub = Hub(logins={"anna": Login("pw"), "line-1": Login("pw", bridge=True)})
    seen = tapped(hub)
    for lines in (("login:anna", "passcode:pw"), ("login:line-1", "passcode:pw", "telemetry-bridge:b")):
        hub.peer("1.2", *lines).send(sends("/topic/a"))
    assert [("a", b"0", "client", "anna"), ("a", b"0", "bridge", "line-1")] == seen


def test_a_login_that_is_no_bridge_cannot_say_that_it_is_one() -> None:
    hub = Hub(logins={"anna": Login("pw")})
    peer = Peer(hub)
    peer.send("CONNECT\naccept-version:1.2\nhost:h\nlogin:anna\npasscode:pw\ntelemetry-bridge:b\n\n^@")
    assert ("Not allowed", None) == peer.refusal()
    assert b'role = "bridge"' in peer.wire.data


@pytest.mark.parametrize(("value", "refused"), [("true", False), ("True", False), ("false", False), ("maybe", True)])
def test_only_a_bridge_can_say_that_a_message_is_old(value: str, refused: bool) -> None:
    hub = Hub()
    flags: list[tuple[str, bool]] = []

    def tap(batch: "list[Arrival]", origin: Origin) -> tuple[()]:
        flags.extend((origin.name, arrival.headers.retained) for arrival in batch)
        return ()

    hub.broker.taps.append(tap)  # type: ignore[arg-type]
    for peer in (hub.peer(), hub.bridge()):
        peer.send(sends("/topic/a", retained=value))
        assert peer.closed == (refused and peer.talk._commands is not None and peer.talk._commands.origin.bridged)
    assert ("bridge", value.lower() == "true") in flags or refused


def test_who_asks_in_a_transaction_gets_the_answer() -> None:
    hub = Hub()
    asking, service = hub.peer(), subscribed(hub, "/topic/questions")
    asking.send(sends("/topic/questions", transaction="t", **{"reply-to": "/temp-queue/t"}))
    (question,) = service.messages()
    service.send(f"SEND\ndestination:{question.headers['reply-to']}\n\nyes^@")
    assert ["/temp-queue/t"] == list(asking.client.subscriptions)
    assert "yes" == bodies(asking)


def test_an_answer_to_a_temporary_queue_that_never_was_is_an_error_and_to_one_that_has_gone_is_counted() -> None:
    hub = Hub()
    asking, service = hub.peer(), subscribed(hub, "/topic/questions")
    asking.send(sends("/topic/questions", **{"reply-to": "/temp-queue/t"}))
    (question,) = service.messages()
    asking.lose()
    service.send(f"SEND\ndestination:{question.headers['reply-to']}\n\nyes^@")
    assert {"reply-gone": 1} == hub.broker.counters.dropped
    assert not service.closed
    service.send(sends("/temp-queue/t"))
    assert ("Reply gone", None) == service.refusal()


def test_header_blocks_that_a_connection_remembers_are_bounded() -> None:
    hub = Hub()
    peer = hub.peer()
    for number in range(MAX_SENDINGS + 10):
        peer.send(sends(f"/topic/{number}"))
    assert peer.talk._commands is not None
    assert len(peer.talk._commands.sendings) <= MAX_SENDINGS
