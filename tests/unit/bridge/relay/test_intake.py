"""What waits: repeats, QoS 0, and when it came; by way of the ring, which owns it."""

from hub.clients.mqtt_parser import DUP, Publish
from tests.unit.bridge.ring import Ring, message, numbers


def qos_0(number: int) -> Publish:
    return (b"", b"t", b"%d" % number, 0x30, b"")


def test_a_redelivery_is_dropped_only_while_its_first_copy_is_held() -> None:
    ring = Ring()
    ring.take(1)
    ring.relay.received([message(1, first=0x32 | DUP), message(2), message(2, first=0x32 | DUP)], 0.0)
    (transaction,) = ring.send_all()
    ring.relay.receipt(transaction.ident)
    ring.relay.received([message(1, first=0x32 | DUP)], 0.0)

    assert numbers(transaction) == [1, 2]
    assert ring.relay.messages == 1
    assert ring.relay.counts.repeated == 2


def test_a_redelivery_on_a_new_connection_is_taken() -> None:
    ring = Ring()
    ring.take(1)
    ring.relay.new_epoch()
    ring.relay.received([message(1, first=0x32 | DUP)], 0.0)

    assert ring.relay.messages == 2


def test_of_qos_0_a_bounded_number_is_held_and_the_newest_are_dropped_and_counted() -> None:
    ring = Ring()
    ring.relay.received([*(qos_0(number) for number in range(1, 8)), message(8)], 0.0)
    (transaction,) = ring.send_all()

    assert numbers(transaction) == [1, 2, 3, 4, 5, 8]
    assert (ring.relay.counts.received_qos0, ring.relay.counts.dropped["qos0_full"]) == (7, 2)
    assert ring.relay.qos0_messages == 5


def test_room_for_qos_0_comes_back_with_the_receipt_whatever_the_epoch() -> None:
    ring = Ring()
    ring.relay.received([*(qos_0(number) for number in range(1, 6)), message(6)], 0.0)
    ring.relay.new_epoch()
    (transaction,) = ring.send_all()
    acknowledged = ring.relay.receipt(transaction.ident)

    assert (acknowledged, ring.relay.qos0_messages, ring.relay.messages) == ([], 0, 0)


def test_the_oldest_message_is_known_by_its_arrival_wherever_it_is() -> None:
    ring = Ring()
    assert ring.relay.oldest_at() is None
    ring.relay.received([message(number) for number in range(1, 13)], 1.0)
    ring.relay.received([message(number) for number in range(13, 16)], 2.0)
    assert ring.relay.oldest_at() == 1.0
    first = ring.relay.next_transaction(2.0)
    second = ring.relay.next_transaction(2.1)
    assert first is not None
    assert second is not None
    assert (first.since, second.since) == (1.0, 1.0)

    ring.relay.received([message(16)], 3.0)
    ring.relay.receipt(first.ident)
    ring.relay.receipt(second.ident)

    assert ring.relay.oldest_at() == 3.0
