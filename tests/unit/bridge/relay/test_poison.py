"""Who is poison, and who only looks like it; by way of the ring, which sends what is suspect."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.hub.ending import Loss
from bridge.relay.transaction import LOSSES_TO_SUSPECT, PROOFS
from tests.unit.bridge.ring import Ring, mid, numbers

LOSSES_TO_DROP = PROOFS[Loss.LOST].endings
REFUSALS_TO_DROP = PROOFS[Loss.REFUSED].endings


def relay_against(ring: Ring, poison: set[int], loss: Loss) -> tuple[list[bytes], int]:
    """Play a hub that ends the connection at a poisoned SEND; give packet ids and connections until all is done.

    The fleet goes on: without other messages nothing is proven.
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
                ring.take(60 + connections)
                break
            acknowledged += ring.relay.receipt(transaction.ident)
    return acknowledged, connections


@given(st.sets(st.integers(1, 60), max_size=4), st.sampled_from([Loss.REFUSED, Loss.LOST]))
def test_poison_is_found_dropped_and_acknowledged_in_its_turn(poison: set[int], loss: Loss) -> None:
    ring = Ring()
    ring.take(*range(1, 61))
    acknowledged, connections = relay_against(ring, poison, loss)
    later = range(62, 61 + connections)

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


def test_a_hub_that_refuses_everything_costs_no_message() -> None:
    ring = Ring()
    ring.take(*range(1, 31))
    for connection in range(200):
        ring.take(31 + connection)
        ring.send_all()
        assert ring.relay.hub_lost(Loss.REFUSED, "no room") == []
    acknowledged: list[bytes] = []
    while ring.relay.messages:
        for transaction in ring.send_all():
            acknowledged += ring.relay.receipt(transaction.ident)

    assert ring.poison == []
    assert acknowledged == [mid(number) for number in range(1, 231)]


def test_a_message_refused_again_and_again_is_kept_while_it_is_the_only_one() -> None:
    ring = Ring()
    ring.take(1)
    for _ in range(5 * REFUSALS_TO_DROP):
        ring.send_all()
        assert ring.relay.hub_lost(Loss.REFUSED, "") == []

    for number in (2, 3):
        ring.take(number)
        (witness,) = ring.send_all()
        assert numbers(witness) == [number]
        ring.relay.receipt(witness.ident)
        ring.send_all()
        assert ring.poison == []
        acknowledged = ring.relay.hub_lost(Loss.REFUSED, "")

    assert ring.poison == [b"1"]
    assert acknowledged == [mid(1), mid(2), mid(3)]


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
