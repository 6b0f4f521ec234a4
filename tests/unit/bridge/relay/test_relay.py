"""The ring's rules, one by one, with time as a number."""

from bridge.hub.ending import Loss
from tests.unit.bridge.ring import Ring, mid, numbers


def test_packet_ids_come_out_with_the_receipt_in_order_of_arrival() -> None:
    ring = Ring()
    ring.take(5, 3, 9)
    (transaction,) = ring.send_all()

    assert ring.relay.receipt(transaction.ident) == [mid(5), mid(3), mid(9)]
    assert (ring.relay.messages, ring.relay.size, ring.relay.outstanding) == (0, 0, 0)


def test_a_later_receipt_waits_for_the_earlier_one() -> None:
    ring = Ring()
    ring.take(*range(1, 21))
    first, second = ring.send_all()

    assert ring.relay.receipt(second.ident) == []
    assert ring.relay.receipt(first.ident) == [mid(number) for number in range(1, 21)]


def test_a_receipt_counts_once() -> None:
    ring = Ring()
    ring.take(1)
    (transaction,) = ring.send_all()
    ring.relay.receipt(transaction.ident)

    assert ring.relay.receipt(transaction.ident) == []
    assert ring.relay.outstanding == 0


def test_a_receipt_after_the_epoch_acknowledges_nothing() -> None:
    ring = Ring()
    ring.take(1)
    (old,) = ring.send_all()
    ring.relay.new_epoch()
    ring.take(1)
    (new,) = ring.send_all()

    assert ring.relay.receipt(old.ident) == []
    assert ring.relay.receipt(new.ident) == [mid(1)]


def test_messages_that_waited_through_an_epochs_end_are_sent_and_not_acknowledged() -> None:
    ring = Ring()
    ring.take(1)
    ring.relay.new_epoch()
    ring.take(2)
    (transaction,) = ring.send_all()

    assert numbers(transaction) == [1, 2]
    assert ring.relay.receipt(transaction.ident) == [mid(2)]


def test_the_first_messages_go_at_once_and_the_next_wait_for_company() -> None:
    ring = Ring()
    ring.take(1)
    assert len(ring.send_all(0.0)) == 1
    ring.take(2)
    assert ring.send_all(0.001) == []
    assert ring.relay.linger_left(0.001) == 0.004

    assert len(ring.send_all(0.005)) == 1


def test_transactions_are_bounded_in_messages_bytes_and_number() -> None:
    ring = Ring()
    ring.take(*range(1, 101))
    assert [len(transaction.messages) for transaction in ring.send_all()] == [10] * 4

    wide = Ring()
    wide.take(1, 2, 3, 4, payload=b"x" * 2000)
    assert [len(transaction.messages) for transaction in wide.send_all()] == [2, 2]

    huge = Ring()
    huge.take(1, 2, payload=b"x" * 6000)
    assert [len(transaction.messages) for transaction in huge.send_all()] == [1, 1]


def test_full_is_told_by_messages_and_by_bytes() -> None:
    ring = Ring()
    ring.take(*range(1, 1000))
    states = [ring.relay.full]
    ring.take(1000)
    states.append(ring.relay.full)
    assert states == [False, True]

    wide = Ring()
    wide.take(1, payload=b"x" * 1_000_000)
    assert wide.relay.full


def test_it_is_full_while_as_many_transactions_as_allowed_are_on_their_way() -> None:
    ring = Ring()
    ring.take(*range(1, 31))
    before = len(ring.send_all()), ring.relay.full
    ring.take(*range(31, 42))
    last = ring.send_all()[-1]

    assert before == (3, False)
    assert (ring.relay.outstanding, ring.relay.full, ring.relay.crowded) == (4, True, False)

    ring.relay.receipt(last.ident)

    assert not ring.relay.full


def test_after_a_loss_everything_without_a_receipt_goes_again_in_order() -> None:
    ring = Ring()
    ring.take(*range(1, 61))
    sent = ring.send_all()
    ring.relay.receipt(sent[1].ident)
    ring.relay.hub_lost(Loss.LOST, "")
    again = ring.send_all()

    assert [numbers(transaction)[0] for transaction in again] == [1, 21, 31, 41]
    assert ring.relay.receipt(again[0].ident) == [mid(number) for number in range(1, 21)]


def test_a_receipt_of_the_lost_connection_read_late_still_counts() -> None:
    ring = Ring()
    ring.take(1)
    (transaction,) = ring.send_all()
    ring.relay.hub_lost(Loss.LOST, "")

    assert ring.relay.receipt(transaction.ident) == [mid(1)]
    assert ring.send_all() == []


def test_the_oldest_receipt_to_wait_for_is_told() -> None:
    ring = Ring()
    assert ring.relay.oldest_sent_at() is None
    ring.take(*range(1, 21))
    first, second = ring.relay.next_transaction(1.0), ring.relay.next_transaction(2.0)
    assert first is not None
    assert second is not None
    assert ring.relay.oldest_sent_at() == 1.0
    ring.relay.receipt(first.ident)

    assert ring.relay.oldest_sent_at() == 2.0
