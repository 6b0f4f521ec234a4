"""What counts mean: the judge finds seeded violations, and only those, and agrees with a naive one made of sets."""

from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_sim.ledger.writer import Acknowledgement
from device_sim.verify import Example, TimedCount, UntimedCount, Verdict, judge
from tests.support.ledger_world import Row, Send, naive_verdict

NONE, PUBACK, RECEIPT = Acknowledgement
KEYS = [
    "published",
    "acknowledged",
    "stored",
    "duplicates",
    "lost",
    "phantom",
    "altered",
    "lost_after",
    "repeated",
    "collided",
    "stored_unacknowledged",
    "examples",
]


def timed(
    acknowledged: Acknowledgement, copies: int, readings: int, *, wrong: int = 0, collided: bool = False
) -> TimedCount:
    return TimedCount(acknowledged, copies, wrong, collided, readings)


def test_everything_stored_once_is_right() -> None:
    verdict = judge([timed(PUBACK, 1, 300)])

    assert verdict == Verdict(published=300, acknowledged=300, stored=300, duplicates=0, lost=0)
    assert verdict.ok


@pytest.mark.parametrize(("by", "puback", "receipt"), [(PUBACK, 2, 0), (RECEIPT, 0, 2)])
def test_an_acknowledged_reading_that_is_missing_is_lost_to_who_acknowledged_it(
    by: Acknowledgement, puback: int, receipt: int
) -> None:
    verdict = judge([timed(by, 1, 298), timed(by, 0, 2)])

    assert (verdict.stored, verdict.lost) == (298, 2)
    assert (verdict.lost_after_puback, verdict.lost_after_receipt) == (puback, receipt)
    assert not verdict.ok


@pytest.mark.parametrize("acknowledged", [PUBACK, NONE])
def test_a_row_too_many_is_a_duplicate_acknowledged_or_not(acknowledged: Acknowledgement) -> None:
    verdict = judge([timed(PUBACK, 1, 10), timed(acknowledged, 3, 2)])

    assert verdict.duplicates == 4
    assert not verdict.ok


def test_a_value_that_was_not_sent_is_altered() -> None:
    verdict = judge([timed(PUBACK, 1, 10), timed(NONE, 1, 1, wrong=1)])

    assert (verdict.altered, verdict.lost) == (1, 0)
    assert not verdict.ok


def test_a_row_that_nobody_sent_is_a_phantom() -> None:
    verdict = judge([timed(PUBACK, 1, 10)], phantom=1)

    assert verdict.phantom == 1
    assert not verdict.ok


@pytest.mark.parametrize(("copies", "there"), [(0, 0), (1, 5)])
def test_a_reading_without_acknowledgement_may_be_there_or_not(copies: int, there: int) -> None:
    verdict = judge([timed(PUBACK, 1, 10), timed(NONE, copies, 5)])

    assert verdict == Verdict(15, 10, 10, duplicates=0, lost=0, stored_unacknowledged=there)
    assert verdict.ok


def test_an_identity_sent_with_two_values_is_told_and_no_failure() -> None:
    verdict = judge([timed(PUBACK, 1, 10, collided=True)])

    assert verdict.collided == 10
    assert verdict.ok


def test_loss_and_duplicates_do_not_cancel_out() -> None:
    verdict = judge([timed(PUBACK, 0, 1), timed(PUBACK, 2, 1)])

    assert (verdict.lost, verdict.duplicates, verdict.stored) == (1, 1, 1)


def test_readings_without_a_time_are_lost_when_fewer_rows_than_acknowledgements_are_there() -> None:
    verdict = judge([], [UntimedCount(sends=5, pubacks=2, receipts=2, rows=1, triples=1)])

    assert (verdict.published, verdict.acknowledged, verdict.stored, verdict.lost) == (5, 4, 1, 3)
    assert (verdict.lost_after_receipt, verdict.lost_after_puback) == (2, 1)


def test_readings_without_a_time_may_be_there_more_often_than_they_were_sent() -> None:
    verdict = judge([], [UntimedCount(sends=2, pubacks=2, receipts=0, rows=5, triples=10)])

    assert (verdict.repeated, verdict.duplicates, verdict.lost) == (30, 0, 0)
    assert verdict.ok


def test_an_empty_ledger_is_right() -> None:
    assert judge([]).ok


def test_the_last_line_has_the_keys_of_the_contract() -> None:
    assert list(judge([]).as_json()) == KEYS


def test_an_example_is_a_sentence() -> None:
    assert str(Example("altered", "d", "m", "2026-11-20T16:00:00Z", "1", "2")) == (
        "altered: d m 2026-11-20T16:00:00Z, sent 1, stored 2"
    )
    assert str(Example("lost", "d", "m", "", "1", "")) == "lost: d m without a time, sent 1"


def counts(sends: list[Send], rows: list[Row]) -> tuple[list[TimedCount], list[UntimedCount], int]:
    """Count as the database does: by identity, and by value for what has no time."""
    values: dict[tuple[str, str, int], set[str]] = defaultdict(set)
    strongest: dict[tuple[str, str, int], Acknowledgement] = {}
    for send in sends:
        if send.timed:
            values[send.identity].add(repr(send.value))
            strongest[send.identity] = max(send.acknowledged, strongest.get(send.identity, NONE))
    copies = Counter(row.identity for row in rows)
    wrong = Counter(row.identity for row in rows if repr(row.value) not in values[row.identity])
    of_timed = [TimedCount(by, copies[i], wrong[i], len(values[i]) > 1, 1) for i, by in strongest.items()]
    others = Counter(row.triple for row in rows if row.identity not in strongest)
    by_triple: dict[tuple[str, str, str], Counter[Acknowledgement]] = defaultdict(Counter)
    for send in sends:
        if not send.timed:
            by_triple[send.triple][send.acknowledged] += 1
    of_untimed = [
        UntimedCount(acks.total(), acks[PUBACK], acks[RECEIPT], others[triple], 1) for triple, acks in by_triple.items()
    ]
    return of_timed, of_untimed, sum(number for triple, number in others.items() if triple not in by_triple)


names = st.sampled_from("ab")
times = st.integers(0, 3)
sends = st.builds(
    Send, names, names, times, st.sampled_from([1.0, 2.0, "x"]), st.sampled_from(Acknowledgement), st.booleans()
)
rows = st.builds(Row, names, names, times, st.sampled_from([1.0, 2.0, 3.0, "x", "y"]))


@given(st.lists(sends, max_size=12), st.lists(rows, max_size=12))
def test_the_judge_agrees_with_sets(sent: list[Send], stored: list[Row]) -> None:
    assert judge(*counts(sent, stored)) == naive_verdict(sent, stored)
