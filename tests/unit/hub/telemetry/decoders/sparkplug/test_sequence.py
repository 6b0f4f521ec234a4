"""The counter `seq`, with time as an argument."""

from hub.telemetry.decoders.sparkplug.sequence import REORDER_US, Sequence


def born(seq: int | None = 0) -> Sequence:
    sequence = Sequence()
    sequence.begin(seq, 1_000)
    return sequence


def test_one_after_the_other_is_no_gap_and_255_is_followed_by_0() -> None:
    sequence = born()
    for seq in [*range(1, 256), 0, 1]:
        sequence.take(seq, 2_000, 0)

        assert not sequence.gap(10 * REORDER_US)


def test_a_gap_is_told_once_when_the_missing_had_time_to_come() -> None:
    sequence = born()
    sequence.take(3, 2_000, 0)

    assert not sequence.gap(REORDER_US - 1)
    assert sequence.gap(REORDER_US)
    assert not sequence.gap(2 * REORDER_US)


def test_what_comes_late_closes_the_gap() -> None:
    sequence = born()
    sequence.take(3, 2_003, 0)
    sequence.take(2, 2_002, 1)
    sequence.take(1, 2_001, 2)

    assert not sequence.gap(REORDER_US)


def test_repeats_change_nothing() -> None:
    sequence = born()
    for seq in (1, 2, 3, 1, 2, 3, 4):
        sequence.take(seq, 2_000 + seq, 0)

    assert not sequence.gap(REORDER_US)


def test_a_loss_of_more_than_half_a_round_is_found_by_the_time_of_the_payload() -> None:
    sequence = born()
    sequence.take(1, 2_000, 0)
    sequence.take(201, 3_000, 0)

    assert sequence.gap(REORDER_US)


def test_a_node_that_sends_no_numbers_has_no_gaps() -> None:
    sequence = born(None)
    sequence.take(None, 2_000, 0)

    assert not sequence.gap(REORDER_US)


def test_the_first_number_is_taken_where_no_birth_was_seen() -> None:
    sequence = Sequence()
    sequence.take(77, None, 0)
    sequence.take(78, None, 0)

    assert not sequence.gap(REORDER_US)


def test_a_birth_ends_a_gap() -> None:
    sequence = born()
    sequence.take(9, 2_000, 0)
    sequence.begin(0, 3_000)

    assert not sequence.gap(REORDER_US)
