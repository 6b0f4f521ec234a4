"""Remarks on a message."""

from hub.telemetry.notes import MAX_DETAIL_CHARS, MAX_FAULTS, Notes, PayloadError


def test_notes_are_clean_until_something_is_said() -> None:
    notes = Notes()

    notes.skip("array")
    notes.skip("array")

    assert (Notes().dirty, notes.dirty) == (False, True)
    assert notes.skipped == {"array": 2}


def test_the_reason_that_stands_beside_the_summary_is_not_in_it_again() -> None:
    notes = Notes()

    notes.fault("clock", "'a': 301 s ahead")
    assert notes.summary() == "'a': 301 s ahead"

    notes.fault("bad_text", "'b' holds NUL")
    assert notes.summary() == "'a': 301 s ahead; bad_text: 'b' holds NUL"


def test_a_detail_that_quotes_the_payload_is_cut() -> None:
    notes = Notes()

    notes.fault("bad_unit", "x" * 100_000)

    assert len(notes.faults[0][1]) == MAX_DETAIL_CHARS


def test_a_thousand_faults_are_summed_up() -> None:
    notes = Notes()

    for number in range(1000):
        notes.fault("bad_metric", str(number))

    assert len(notes.faults) == MAX_FAULTS
    assert notes.summary().startswith("0; bad_metric: 1; bad_metric: 2;")
    assert notes.summary().endswith("and 980 more")


def test_the_sentence_has_reason_and_detail() -> None:
    assert str(PayloadError("not_json", "at 3")) == "not_json: at 3"
    assert str(PayloadError("not_json")) == "not_json"


def test_a_hostile_detail_is_cut() -> None:
    assert len(PayloadError("not_json", "x" * 10_000).detail) == MAX_DETAIL_CHARS
