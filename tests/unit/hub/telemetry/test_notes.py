"""Remarks on a message."""

from hub.telemetry.notes import MAX_FAULTS, Notes


def test_notes_are_clean_until_something_is_said() -> None:
    notes = Notes()

    notes.skip("array")
    notes.skip("array")

    assert (Notes().dirty, notes.dirty) == (False, True)
    assert notes.skipped == {"array": 2}


def test_a_thousand_faults_are_summed_up() -> None:
    notes = Notes()

    for number in range(1000):
        notes.fault("bad_metric", str(number))

    assert len(notes.faults) == MAX_FAULTS
    assert notes.summary().startswith("bad_metric: 0; bad_metric: 1;")
    assert notes.summary().endswith("and 980 more")
