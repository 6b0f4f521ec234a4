"""A conversation: receipts and what they wait for, deadlines, how it ends. No socket, no clock."""

from collections.abc import Callable, Hashable, Sequence

import pytest

from hub.access.logins import Login
from hub.broker.publication import Arrival, Origin
from hub.broker.subscriber import SubscriberLimits
from hub.refusal import Reason, Refusal
from hub.stomp.deadlines import DeadlineLimits
from tests.support.core import Hub, Peer, Wire

TOPIC = "/topic/devices/press-7/commands"
STORED = "/topic/devices/press-7/telemetry"


def storing(hub: Hub) -> list[str]:
    """Let the hub store what comes on telemetry topics; return the tokens of its batches, one for each publish."""
    tokens: list[str] = []

    def tap(batch: Sequence[Arrival], origin: Origin) -> Sequence[Hashable]:
        if not any(arrival.address.text == STORED for arrival in batch):
            return ()
        tokens.append(f"{origin.name} {len(tokens)}")
        return (tokens[-1],)

    hub.broker.taps.append(tap)
    return tokens


def consumer(hub: Hub) -> Peer:
    peer = hub.bridge()
    peer.send(f"SUBSCRIBE\nid:c\ndestination:{TOPIC}\nack:client-individual\nreceipt-after-ack:true\n\n^@")
    return peer


def send(peer: Peer, destination: str, *lines: str) -> None:
    peer.send(f"SEND\ndestination:{destination}\n{''.join(line + chr(10) for line in lines)}\ngo^@")


def answer(peer: Peer, command: str = "ACK", *lines: str) -> None:
    for message in peer.messages():
        peer.send(f"{command}\nid:{message.headers['ack']}\n{''.join(line + chr(10) for line in lines)}\n^@")


def receipts(peer: Peer) -> list[str]:
    return [frame.headers["receipt-id"] for frame in peer.frames() if frame.command == "RECEIPT"]


# Receipts.


def test_receipts_wait_until_their_batch_is_durable_and_those_of_one_batch_come_together() -> None:
    hub = Hub()
    tokens, peer = storing(hub), hub.peer()
    peer.send("".join(f"SEND\ndestination:{STORED}\nreceipt:{number}\n\n1^@" for number in range(3)))
    send(peer, STORED, "receipt:3")
    assert ([], tokens) == (receipts(peer), peer.waits)
    assert 2 == len(tokens)
    peer.talk.settle(tokens[0])
    assert ["0", "1", "2"] == receipts(peer)
    peer.talk.settle(tokens[1])
    assert ["3"] == receipts(peer)
    assert () == peer.talk.owed


def test_what_is_not_stored_is_acknowledged_at_once() -> None:
    hub = Hub()
    storing(hub)
    peer = hub.peer()
    send(peer, "/topic/chat", "receipt:r")
    assert (["r"], False) == (receipts(peer), peer.talk.fed)
    send(peer, STORED)
    assert (True, []) == (peer.talk.fed, peer.waits), "back-pressure is for this peer, though it wants no receipt"


def test_a_batch_that_fails_ends_the_conversation_with_its_first_receipt() -> None:
    hub = Hub()
    tokens, peer = storing(hub), hub.peer()
    send(peer, STORED, "receipt:r")
    peer.talk.settle(tokens[0], Refusal(Reason.NOT_STORED, "send it again"))
    assert ("Not stored", "r") == peer.refusal()


def test_the_receipt_of_disconnect_is_the_last() -> None:
    hub = Hub()
    tokens, peer = storing(hub), hub.peer()
    left: list[bool] = []
    send(peer, STORED, "receipt:r")
    peer.send("DISCONNECT\nreceipt:bye\n\n^@")
    peer.talk.when_left = lambda: left.append(True)
    assert (True, []) == (peer.talk.leaving, receipts(peer))
    peer.talk.settle(tokens[0])
    assert ["r", "bye"] == receipts(peer)
    assert ([True], (1000, "")) == (left, peer.wire.closed)


# Receipts that wait for a consumer.


def test_the_receipt_comes_after_the_ack() -> None:
    hub = Hub()
    taking, sender = consumer(hub), hub.peer()
    send(sender, TOPIC, "receipt:r")
    assert [] == sender.frames()
    answer(taking)
    assert ["r"] == receipts(sender)


def test_all_receipts_of_a_transaction_wait() -> None:
    hub = Hub()
    taking, sender = consumer(hub), hub.peer()
    sender.send("BEGIN\ntransaction:t\n\n^@")
    send(sender, TOPIC, "transaction:t", "receipt:s")
    sender.send("COMMIT\ntransaction:t\nreceipt:c\n\n^@")
    assert [] == sender.frames()
    answer(taking)
    assert ["s", "c"] == receipts(sender)


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (lambda taking: answer(taking, "NACK", "reason:no such device"), b"no such device"),
        (lambda taking: taking.lose(), b"its consumer left before it acknowledged"),
        (lambda _taking: None, b"its consumer did not acknowledge within 30 s; it is unknown"),
    ],
)
def test_without_an_ack_the_sender_gets_an_error(end: Callable[[Peer], None], text: bytes) -> None:
    hub = Hub()
    taking, sender = consumer(hub), hub.peer()
    send(sender, TOPIC, "receipt:r")
    end(taking)
    hub.now += 30.0
    assert sender.closed or sender.talk.deadlines.at <= hub.now
    sender.talk.tick(hub.now)
    error = sender.error()
    assert text in error.body
    assert ("Not confirmed", "r") == (error.headers["message"], error.headers["receipt-id"])
    assert (1011, "Not confirmed") == sender.wire.closed


def test_who_wants_no_receipt_is_told_nothing() -> None:
    hub = Hub()
    taking, sender = consumer(hub), hub.peer()
    send(sender, TOPIC)
    answer(taking, "NACK")
    assert ([], False) == (sender.frames(), sender.closed)
    assert not hub.broker.confirmations


def test_disconnect_waits_for_the_consumer() -> None:
    hub = Hub()
    taking, sender = consumer(hub), hub.peer()
    send(sender, TOPIC, "receipt:r")
    sender.send("DISCONNECT\nreceipt:bye\n\n^@")
    assert ([], True) == (sender.frames(), sender.talk.leaving)
    answer(taking)
    assert ["r", "bye"] == receipts(sender)


# Time.


def test_connect_has_its_time() -> None:
    hub = Hub(deadlines=DeadlineLimits(connect_s=5))
    peer = Peer(hub)
    hub.now = peer.talk.deadlines.at
    peer.talk.tick(hub.now)
    assert ("Timeout", None) == peer.refusal()
    assert (1008, "Timeout") == peer.wire.closed


def test_a_frame_that_does_not_end_has_its_time() -> None:
    hub = Hub(deadlines=DeadlineLimits(frame_s=5))
    peer = hub.peer()
    peer.send("SEND\ndestina")
    peer.talk.tick(hub.now + 4.9)
    assert not peer.closed
    peer.talk.tick(hub.now + 5)
    assert ("Timeout", None) == peer.refusal()


def test_heart_beats_are_sent_and_expected() -> None:
    hub = Hub()
    peer = Peer(hub)
    peer.send("CONNECT\naccept-version:1.2\nhost:h\nheart-beat:1000,2000\n\n^@")
    assert "2000,1000" == peer.frames()[0].headers["heart-beat"]
    assert (True, False) == (peer.talk.beats, peer.wire.kept_alive)
    hub.now += 1.6
    peer.talk.tick(hub.now)
    assert ["\n"] == [frame.command for frame in peer.frames()]
    assert not peer.closed
    hub.now += 0.4
    peer.talk.tick(hub.now)
    assert (1002, "heart-beat timeout") == peer.wire.closed


def test_who_sends_no_heart_beats_is_looked_after_by_its_carrier() -> None:
    peer = Hub().peer()
    assert (False, True) == (peer.talk.beats, peer.wire.kept_alive)


def test_a_peer_that_reads_nothing_of_what_is_dropped_is_given_up() -> None:
    hub = Hub(client=SubscriberLimits(outbox_bytes=100_000), deadlines=DeadlineLimits(stall_s=5))
    slow = hub.peer()
    slow.send("SUBSCRIBE\nid:s\ndestination:/topic/a\n\n^@")
    slow.stall()
    slow.talk.writing_stalled(hub.now)
    publisher = hub.peer()
    slow.wire.busy_after_write = True
    for _ in range(30):
        publisher.send(f"SEND\ndestination:/topic/a\n\n{'x' * 10_000}^@")
        hub.broker.flush()
    slow.talk.tick(hub.now + 5)
    assert (1008, "slow consumer") == slow.wire.closed
    assert 1 == hub.broker.counters.slow_consumers


def test_an_error_that_cannot_be_written_waits_for_the_peer_and_not_for_ever() -> None:
    hub = Hub(deadlines=DeadlineLimits(close_s=5))
    peer = hub.peer()
    peer.stall()
    peer.send("NOPE\n\n^@")
    assert not peer.closed
    hub.now += 5
    peer.talk.tick(hub.now)
    assert peer.closed


# What an operator is told.


def test_refusals_are_told_with_the_login() -> None:
    hub = Hub(logins={"anna": Login("pw")})
    wrong = Peer(hub)
    wrong.send("CONNECT\naccept-version:1.2\nhost:h\nlogin:anna\npasscode:guess\n\n^@")
    right = hub.peer("1.2", "login:anna", "passcode:pw")
    right.send("SEND\ndestination:/topic/+\n\n^@")
    assert [(Reason.BAD_CONNECT, "anna"), (Reason.BAD_DESTINATION, "anna")] == [
        (refusal.reason, login) for refusal, login in hub.refusals
    ]
    assert "guess" not in str(hub.refusals[0][0])


# Another kind of subscriber beside STOMP's.


def test_a_toy_encoder_subscribes_beside_stomp_clients() -> None:
    """The broker knows no protocol: ten lines are a transport's encoder, and bounds and `dropped` hold for it too."""
    from hub.broker.options import parse_options
    from hub.broker.publication import Extra, Publication
    from hub.broker.subscriber import Subscriber
    from hub.topics.destinations import parse_destination

    def encode(publication: Publication, extra: Extra, message_id: str | None) -> bytes:
        said = "".join(f" {name}={value}" for name, value in extra)
        return f"{message_id or publication.number}{said} {publication.body.decode()}\n".encode()

    hub = Hub()
    stomp, wire = hub.peer(), Wire()
    stomp.send("SUBSCRIBE\nid:s\ndestination:/topic/+\n\n^@")
    toy = Subscriber(hub.broker, wire, SubscriberLimits(outbox_bytes=10_000))
    toy.begin(toy.subscribe("s", parse_destination("/topic/+"), parse_options({}), encode))

    stomp.send("SEND\ndestination:/topic/a\n\nhello^@SEND\ndestination:/topic/b\n\nthere^@")
    assert [b"hello", b"there"] == [message.body for message in stomp.messages()]
    assert b"1 hello\n2 there\n" == wire.data

    wire.busy_after_write = True
    for _ in range(200):
        stomp.send(f"SEND\ndestination:/topic/a\n\n{'x' * 1_000}^@")
        stomp.messages()
    assert toy.outbox.waiting_bytes <= 10_000 + 65_536
    wire.busy, wire.data = False, b""
    toy.resume()
    lines = wire.data.decode().splitlines()
    assert lines[0].split(" ")[1] == f"dropped={200 - 1 - len(lines)}"


def test_what_follows_in_a_burst_that_ended_its_connection_is_not_done() -> None:
    hub = Hub(client=SubscriberLimits(outbox_bytes=10_000))
    watcher, slow = hub.peer(), hub.peer()
    watcher.send("SUBSCRIBE\nid:w\ndestination:/topic/after\n\n^@")
    slow.send("SUBSCRIBE\nid:a\ndestination:/topic/a\nack:client\nprefetch-count:1\non-slow:disconnect\n\n^@")
    burst = f"SEND\ndestination:/topic/a\n\n{'x' * 3_000}^@" * 8
    slow.send(f"{burst}SUBSCRIBE\nid:b\ndestination:/topic/b\n\n^@SEND\ndestination:/topic/after\n\n1^@")
    assert slow.closed
    assert ([], 1) == (watcher.frames(), hub.broker.subscriptions)
