"""The ring's rules, one by one, with time as a number."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.publishes import DUP, Message
from bridge.relay import LOSSES_TO_DROP, LOSSES_TO_SUSPECT, REFUSALS_TO_DROP, Loss, Relay, RelayLimits, Transaction

LIMITS = RelayLimits(
    max_messages=1000,
    max_bytes=1_000_000,
    transaction_messages=10,
    transaction_bytes=5000,
    in_flight=4,
    linger_s=0.005,
    qos0_messages=5,
)


class Ring:
    """A relay with the poison that it reported."""

    def __init__(self, limits: RelayLimits = LIMITS) -> None:
        self.poison: list[bytes] = []
        self.relay = Relay(limits, lambda message, _reason: self.poison.append(message[2]))

    def take(self, *numbers: int, payload: bytes | None = None) -> None:
        self.relay.received([message(number, payload) for number in numbers], 0.0)

    def send_all(self, now: float = 1.0) -> list[Transaction]:
        sent = []
        while (transaction := self.relay.next_transaction(now)) is not None:
            sent.append(transaction)
        return sent


def message(number: int, payload: bytes | None = None, first: int = 0x32) -> Message:
    return (mid(number), b"t", b"%d" % number if payload is None else payload, first, b"")


def mid(number: int) -> bytes:
    return number.to_bytes(2, "big")


def numbers(transaction: Transaction) -> list[int]:
    return [int(payload) for _, _, payload, *_ in transaction.messages]


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


def qos_0(number: int) -> Message:
    return (b"", b"t", b"%d" % number, 0x30, b"")


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


def relay_against(ring: Ring, poison: set[int], loss: Loss) -> tuple[list[bytes], int]:
    """Play a hub that ends the connection at a poisoned SEND; give packet ids and connections until all is done.

    Where connections just vanish the fleet goes on: without other messages that proves nothing.
    """
    acknowledged: list[bytes] = []
    connections = 1
    while ring.relay.messages:
        assert connections < 2000
        sent = ring.send_all()
        assert sent
        for transaction in sent:
            if poison.intersection(numbers(transaction)):
                acknowledged += ring.relay.hub_lost(loss, "because")
                connections += 1
                if loss is Loss.LOST:
                    ring.take(60 + connections)
                break
            acknowledged += ring.relay.receipt(transaction.ident)
    return acknowledged, connections


@given(st.sets(st.integers(1, 60), max_size=4), st.sampled_from([Loss.REFUSED, Loss.LOST]))
def test_poison_is_found_dropped_and_acknowledged_in_its_turn(poison: set[int], loss: Loss) -> None:
    ring = Ring()
    ring.take(*range(1, 61))
    acknowledged, connections = relay_against(ring, poison, loss)
    later = range(62, 61 + connections) if loss is Loss.LOST else range(0)

    assert acknowledged == [mid(number) for number in (*range(1, 61), *later)]
    assert {int(payload) for payload in ring.poison} == poison
    assert ring.relay.counts.relayed == len(acknowledged) - len(poison)


def test_finding_one_among_ten_takes_a_few_connections() -> None:
    ring = Ring()
    ring.take(*range(1, 11))

    assert relay_against(ring, {7}, Loss.REFUSED)[1] <= 1 + 4 + REFUSALS_TO_DROP


def test_a_suspect_goes_alone() -> None:
    ring = Ring()
    ring.take(*range(1, 41))
    ring.send_all()
    ring.relay.hub_lost(Loss.REFUSED, "")
    (alone,) = ring.send_all()
    ring.relay.receipt(alone.ident)
    (next_one,) = ring.send_all()

    assert (numbers(alone)[0], numbers(next_one)[0]) == (1, 11)


def test_one_refusal_of_a_message_alone_drops_nothing() -> None:
    ring = Ring()
    ring.take(1)
    for _ in range(REFUSALS_TO_DROP - 1):
        ring.send_all()
        ring.relay.hub_lost(Loss.REFUSED, "shutting down")
    (transaction,) = ring.send_all()

    assert ring.relay.receipt(transaction.ident) == [mid(1)]
    assert ring.poison == []


def test_a_hub_that_is_killed_often_loses_nothing() -> None:
    ring = Ring()
    ring.take(1)
    for _ in range(LOSSES_TO_SUSPECT + 5):
        ring.send_all()
        ring.relay.hub_lost(Loss.LOST, "")

    assert ring.poison == []
    assert LOSSES_TO_DROP > LOSSES_TO_SUSPECT + 5


def test_a_hub_that_is_killed_while_one_message_is_alone_on_its_way_never_costs_it() -> None:
    ring = Ring()
    ring.take(1)
    for _ in range(5 * LOSSES_TO_DROP):
        ring.send_all()
        assert ring.relay.hub_lost(Loss.LOST, "") == []
    (transaction,) = ring.send_all()

    assert ring.relay.receipt(transaction.ident) == [mid(1)]
    assert ring.poison == []


def test_a_window_of_twenty_is_enough_to_prove_that_one_is_poison() -> None:
    ring = Ring()
    ring.take(*range(1, 21))
    acknowledged: list[bytes] = []
    connections = 1
    while ring.relay.messages:
        for transaction in ring.send_all():
            if 3 in numbers(transaction):
                acknowledged += ring.relay.hub_lost(Loss.LOST, "the hub dies of it")
                connections += 1
                break
            acknowledged += ring.relay.receipt(transaction.ident)

    assert ring.poison == [b"3"]
    assert acknowledged == [mid(number) for number in range(1, 21)]
    assert LOSSES_TO_DROP < connections <= LOSSES_TO_DROP + LOSSES_TO_SUSPECT + 5


def test_after_each_loss_alone_another_message_goes_first() -> None:
    ring = Ring()
    ring.take(1)
    for _ in range(LOSSES_TO_SUSPECT):
        ring.send_all()
        ring.relay.hub_lost(Loss.LOST, "")
    ring.take(2, 3)
    (witness,) = ring.send_all()
    assert numbers(witness) == [2]

    assert ring.relay.receipt(witness.ident) == []
    (suspect,) = ring.send_all()
    assert numbers(suspect) == [1]
    assert ring.relay.receipt(suspect.ident) == [mid(1), mid(2)]
    assert [numbers(transaction) for transaction in ring.send_all()] == [[3]]


def test_our_own_reconnects_prove_nothing_against_a_message() -> None:
    ring = Ring()
    ring.take(1)
    for _ in range(3 * LOSSES_TO_DROP):
        ring.send_all()
        ring.relay.hub_lost(Loss.OURS, "no receipt")

    assert ring.poison == []


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
