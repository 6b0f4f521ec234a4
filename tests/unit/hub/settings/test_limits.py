"""Limits: each pair that contradicts itself stops the start, and both keys are named."""

import pytest

from hub.errors import SettingsError
from hub.settings.limits import NOT_ABOVE, OFF_AT_0, Limits
from hub.settings.model import load_settings


def _refused(**limits: float) -> str:
    with pytest.raises(SettingsError) as error:
        load_settings(None, {"limits": limits})
    return str(error.value)


@pytest.mark.parametrize(("smaller", "larger"), [(smaller, larger) for smaller, larger, _ in NOT_ABOVE])
def test_a_limit_above_one_that_it_must_fit_in_is_refused_and_both_are_named(smaller: str, larger: str) -> None:
    bound = getattr(Limits(), larger) or 33_554_432
    if larger == "header_line_bytes":
        bound = 8_192

    text = _refused(**{larger: bound, smaller: bound + 1}) if larger in OFF_AT_0 else _refused(**{smaller: bound + 1})

    assert "limits (command line): " in text
    assert f"limits.{smaller} ({bound + 1}" in text
    assert f"limits.{larger} ({bound}" in text


def test_a_limit_may_be_as_large_as_the_one_that_it_fits_in() -> None:
    limits = Limits()

    assert (
        limits.outbox_bytes
        == load_settings(None, {"limits": {"body_bytes": limits.outbox_bytes}}).settings.limits.body_bytes
    )


def test_lowering_the_larger_one_is_refused_too() -> None:
    assert "limits.body_bytes (1048576) is above limits.outbox_bytes (65536)" in _refused(outbox_bytes=65_536)


def test_all_conflicts_are_told_at_once() -> None:
    text = _refused(body_bytes=100_000_000)

    assert all(key in text for key in ("outbox_bytes", "transaction_bytes", "queue_bytes", "retained_bytes"))


def test_retaining_nothing_goes_with_every_size_of_message() -> None:
    assert 0 == load_settings(None, {"limits": {"retained_bytes": 0}}).settings.limits.retained_bytes


def test_heart_beats_are_passed_on_in_milliseconds() -> None:
    session = Limits(heart_beat_min_s=0.5, heart_beat_max_s=30).for_session()

    assert (500, 30_000) == (session.heart_beat_min_ms, session.heart_beat_max_ms)
