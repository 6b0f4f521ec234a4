"""Work queues: one consumer a message, in turn, bounded, redelivered, and dead after twenty deliveries (section 7)."""

import pytest

from hub.broker.broker import BrokerLimits
from hub.broker.queues import MAX_ATTEMPTS, QueueLimits
from hub.topics.destinations import queue as queue_at
from tests.support.core import Hub, Peer

SUBSCRIBE = "SUBSCRIBE\nid:s\ndestination:/queue/q\nack:{}\n{}\n^@"


def put(peer: Peer, *bodies: object, queue: str = "/queue/q") -> None:
    for body in bodies:
        peer.send(f"SEND\ndestination:{queue}\n\n{body}^@")


def consumer(hub: Hub, ack: str = "client-individual", prefetch: int | None = None) -> Peer:
    peer = hub.peer()
    peer.send(SUBSCRIBE.format(ack, "" if prefetch is None else f"prefetch-count:{prefetch}\n"))
    return peer


def bodies(peer: Peer) -> list[str]:
    return [frame.body.decode() for frame in peer.messages()]


def test_a_queue_keeps_its_messages_while_nobody_subscribes_and_gives_them_in_order() -> None:
    hub = Hub()
    put(hub.peer(), *range(5))
    assert ["0", "1", "2", "3", "4"] == bodies(consumer(hub))


def test_consumers_take_turns() -> None:
    hub = Hub()
    first, second, third = (consumer(hub) for _ in range(3))
    put(hub.peer(), *range(6))
    assert [["0", "3"], ["1", "4"], ["2", "5"]] == [bodies(peer) for peer in (first, second, third)]


def test_a_consumer_without_prefetch_left_is_passed_over() -> None:
    hub = Hub()
    small, large = consumer(hub, prefetch=1), consumer(hub, prefetch=10)
    put(hub.peer(), *range(6))
    assert (["0"], ["1", "2", "3", "4", "5"]) == (bodies(small), bodies(large))


def test_an_acknowledgement_makes_room_for_the_next() -> None:
    hub = Hub()
    peer = consumer(hub, prefetch=2)
    put(hub.peer(), *range(4))
    first, second = peer.messages()
    peer.send(f"ACK\nid:{first.headers['ack']}\n\n^@")
    assert ["2"] == bodies(peer)
    peer.send(f"ACK\nid:{second.headers['ack']}\n\n^@")
    assert ["3"] == bodies(peer)


def test_a_nack_brings_the_message_back_to_the_front_marked_and_with_a_new_ack() -> None:
    hub = Hub()
    peer = consumer(hub, "client", prefetch=2)
    put(hub.peer(), "a", "b", "c")
    first, second = peer.messages()
    assert ["false", "false"] == [frame.headers["redelivered"] for frame in (first, second)]
    peer.send(f"NACK\nid:{first.headers['ack']}\n\n^@")
    (again,) = peer.messages()
    assert ("a", "true") == (again.body.decode(), again.headers["redelivered"])
    assert again.headers["ack"] not in {first.headers["ack"], second.headers["ack"]}
    assert again.headers["ack"] == again.headers["message-id"]
    assert 1 == hub.broker.counters.redelivered


def test_a_cumulative_nack_brings_all_earlier_ones_back_in_order() -> None:
    hub = Hub()
    peer = consumer(hub, "client", prefetch=3)
    put(hub.peer(), *"abcd")
    peer.send(f"NACK\nid:{peer.messages()[-1].headers['ack']}\n\n^@")
    assert ["a", "b", "c"] == bodies(peer)


def test_a_nack_may_discard() -> None:
    hub = Hub()
    peer = consumer(hub, prefetch=1)
    put(hub.peer(), "a", "b")
    peer.send(f"NACK\nid:{peer.messages()[0].headers['ack']}\nrequeue:false\n\n^@")
    assert ["b"] == bodies(peer)
    assert {"nack": 1} == hub.broker.counters.dropped


@pytest.mark.parametrize("end", ["lost", "DISCONNECT\n\n^@", "NOPE\n\n^@"])
def test_whoever_leaves_gives_back_what_was_not_acknowledged_in_order(end: str) -> None:
    hub = Hub()
    peer = consumer(hub)
    put(hub.peer(), *"abc")
    peer.send(f"ACK\nid:{peer.messages()[0].headers['ack']}\n\n^@")
    if end == "lost":
        peer.lose()
    else:
        peer.send(end)
    other = consumer(hub)
    assert [("b", "true"), ("c", "true")] == [
        (frame.body.decode(), frame.headers["redelivered"]) for frame in other.messages()
    ]


def test_whoever_leaves_with_two_subscriptions_is_not_given_its_own_messages_again() -> None:
    for ack in ("auto", "client", "client-individual"):
        hub = Hub()
        peer = hub.peer()
        peer.stall()
        for key in ("one", "two"):
            peer.send(f"SUBSCRIBE\nid:{key}\ndestination:/queue/q\nack:{ack}\n\n^@")
        put(hub.peer(), *"abcd")
        hub.broker.flush()
        peer.lose()
        other = consumer(hub)
        # What was never written does not count as delivered.
        assert [(body, "false") for body in "abcd"] == [
            (frame.body.decode(), frame.headers["redelivered"]) for frame in other.messages()
        ]


def test_in_auto_mode_delivered_is_consumed() -> None:
    hub = Hub()
    peer = consumer(hub, "auto")
    put(hub.peer(), "a")
    (frame,) = peer.messages()
    assert "ack" not in frame.headers
    peer.lose()
    assert [] == bodies(consumer(hub))
    assert queue_at("q") in hub.broker.queues


@pytest.mark.parametrize("ack", ["auto", "client"])
def test_a_consumer_that_does_not_read_gets_no_more_and_loses_nothing(ack: str) -> None:
    hub = Hub()
    peer = consumer(hub, ack)
    peer.stall()
    put(hub.peer(), *range(2_000))
    hub.broker.flush()
    assert len(hub.broker.queues[queue_at("q")]) > 1_800
    other = consumer(hub, "auto")
    taken = bodies(other)
    peer.read_again()
    taken += bodies(peer)
    assert sorted(map(str, range(2_000))) == sorted(taken)
    assert {} == hub.broker.counters.dropped


def test_a_backlog_larger_than_the_outbox_reaches_a_new_consumer_whole() -> None:
    hub = Hub()
    put(hub.peer(), *("x" * 10_000 + str(number) for number in range(1_000)))
    peer = consumer(hub, "auto")
    assert 1_000 == len(peer.messages())
    assert (0, {}) == (peer.wire.overflows, hub.broker.counters.dropped)


def test_unsubscribing_gives_back_what_was_not_written_and_leaves_the_rest_acknowledgeable() -> None:
    hub = Hub()
    peer = consumer(hub)
    put(hub.peer(), "a")
    (written,) = peer.messages()
    peer.stall()
    put(hub.peer(), "b")
    hub.broker.flush()
    peer.send("UNSUBSCRIBE\nid:s\n\n^@")
    other = consumer(hub)
    (given_back,) = other.messages()
    assert (b"b", "false") == (given_back.body, given_back.headers["redelivered"])
    peer.send(f"ACK\nid:{written.headers['ack']}\nreceipt:r\n\n^@")
    peer.read_again()
    assert ["RECEIPT"] == [frame.command for frame in peer.frames()]
    peer.lose()
    assert [] == bodies(other)


def test_after_twenty_deliveries_a_message_is_dead() -> None:
    hub = Hub()
    peer = consumer(hub)
    put(hub.peer(), "poison", "good")
    for attempt in range(MAX_ATTEMPTS):
        frames = peer.messages()
        assert "poison" == frames[0].body.decode(), attempt
        peer.send(f"NACK\nid:{frames[0].headers['ack']}\n\n^@")
    assert [] == peer.messages()
    assert {"dead-letter": 1} == hub.broker.counters.dropped
    other = hub.peer()
    other.send("SUBSCRIBE\nid:d\ndestination:/queue/$dead/q\nack:client\n\n^@")
    (dead,) = other.messages()
    assert ("poison", "/queue/$dead/q", "false") == (
        dead.body.decode(),
        dead.headers["destination"],
        dead.headers["redelivered"],
    )


def test_a_dead_letter_does_not_die_again_and_its_queue_drops_the_oldest() -> None:
    hub = Hub(broker=BrokerLimits(queues=QueueLimits(messages=3, bytes=2_000)))
    peer = hub.peer()
    put(peer, *range(5), queue="/queue/$dead/q")
    put(peer, "x" * 1_000, queue="/queue/$dead/q")
    queue = hub.broker.queues[queue_at("$dead/q")]
    assert (3, {"dead-letter-full": 3}) == (len(queue), hub.broker.counters.dropped)
    put(peer, "y" * 1_600, queue="/queue/$dead/q")
    assert queue.bytes <= 2_000
    reader = hub.peer()
    reader.send("SUBSCRIBE\nid:d\ndestination:/queue/$dead/q\nack:client\n\n^@")
    for _ in range(MAX_ATTEMPTS + 5):
        (frame,) = reader.messages()
        reader.send(f"NACK\nid:{frame.headers['ack']}\n\n^@")
    assert 1 == len(reader.messages())


@pytest.mark.parametrize(("limits", "size"), [(QueueLimits(messages=3), 1), (QueueLimits(bytes=3_000), 800)])
def test_a_full_queue_refuses_the_publisher_and_keeps_what_it_has(limits: QueueLimits, size: int) -> None:
    hub = Hub(broker=BrokerLimits(queues=limits))
    peer = hub.peer()
    put(peer, *["x" * size] * 10)
    peer.send("SEND\ndestination:/queue/q\nreceipt:r\n\nx^@")
    error = peer.error()
    assert error.headers["message"].startswith("Queue full (")
    assert len(hub.broker.queues[queue_at("q")]) == len(consumer(hub).messages()) >= 2


def test_headers_of_messages_count_in_a_queue() -> None:
    hub = Hub(broker=BrokerLimits(queues=QueueLimits(bytes=20_000)))
    peer = hub.peer()
    for _ in range(20):
        peer.send("SEND\ndestination:/queue/q\nk:" + "x" * 7_000 + "\n\n^@")
    assert "Queue full" == peer.refusal()[0]


def test_the_number_of_queues_is_bounded_and_an_idle_one_makes_room() -> None:
    hub = Hub(broker=BrokerLimits(queues=QueueLimits(queues=2)))
    peer = hub.peer()
    put(peer, "a", queue="/queue/1")
    reader = consumer(hub)
    reader.send("UNSUBSCRIBE\nid:s\n\n^@")
    put(peer, "a", queue="/queue/2")
    peer.send("SEND\ndestination:/queue/3\nreceipt:r\n\n^@")
    error = peer.error()
    assert ("Too many queues", "r") == (error.headers["message"].partition(" (")[0], error.headers["receipt-id"])
    refused = hub.peer()
    refused.send("SUBSCRIBE\nid:s\ndestination:/queue/4\nreceipt:r2\n\n^@")
    assert "r2" == refused.error().headers["receipt-id"]


def test_a_queue_without_messages_and_consumers_ceases_to_exist() -> None:
    hub = Hub()
    peer = consumer(hub, "auto")
    put(peer, "a")
    peer.send("UNSUBSCRIBE\nid:s\n\n^@")
    assert {} == hub.broker.queues


def test_queue_names_are_literal() -> None:
    hub = Hub()
    put(hub.peer(), "a", queue="/queue/a/b")
    peer = hub.peer()
    peer.send("SUBSCRIBE\nid:1\ndestination:/queue/a/+\n\n^@SUBSCRIBE\nid:2\ndestination:/queue/#\n\n^@")
    assert [] == peer.messages()
