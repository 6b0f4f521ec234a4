"""Limits on names, texts and times."""

import pytest

from hub.telemetry.validation import (
    MAX_NAME_CHARS,
    MAX_TEXT_CHARS,
    OLDEST_US,
    TimeWindow,
    name_fault,
    path_fault,
    text_fault,
    unit_fault,
)


@pytest.mark.parametrize("name", ["press-7", "/a/b", " a ", "%RH", "名", "x" * MAX_NAME_CHARS])
def test_ordinary_names_pass(name: str) -> None:
    assert name_fault(name) is None


@pytest.mark.parametrize("name", ["", "a\nb", "\0", "\x7f", "\x85", "x" * (MAX_NAME_CHARS + 1)])
def test_names_that_cannot_be_stored_or_forge_logs_are_faults(name: str) -> None:
    assert name_fault(name)


def test_a_path_that_is_too_long_is_told_from_its_parts() -> None:
    assert path_fault("x" * (MAX_NAME_CHARS - 1), "y") is None
    assert path_fault("x" * MAX_NAME_CHARS, "y")


def test_texts_may_hold_lines_but_no_nul() -> None:
    assert text_fault("a\nb") is None
    assert text_fault("a\0b")
    assert text_fault("x" * (MAX_TEXT_CHARS + 1))


def test_units_are_short_and_printable() -> None:
    assert unit_fault("") is None
    assert unit_fault("Cel") is None
    assert unit_fault("x" * 33)
    assert unit_fault("C\n")


def test_the_window_ends_five_minutes_ahead_and_begins_in_1973() -> None:
    window = TimeWindow()
    now_us = 1_763_654_400_000_000

    assert window.fault(now_us + 300_000_000, now_us) is None
    assert "301 s ahead" in str(window.fault(now_us + 301_000_000, now_us))
    assert window.fault(OLDEST_US, now_us) is None
    assert "not set" in str(window.fault(OLDEST_US - 1, now_us))
