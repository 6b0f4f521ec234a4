"""What counts mean: the checker finds seeded violations, and only those."""

import pytest

from device_sim.errors import BadArgumentError
from device_sim.verify import Count, Verdict, judge, verify


def test_everything_stored_once_is_right() -> None:
    verdict = judge([Count(acknowledged=True, copies=1, readings=300)])

    assert verdict == Verdict(published=300, acknowledged=300, stored=300, duplicates=0, lost=0)
    assert verdict.ok


def test_an_acknowledged_reading_that_is_missing_is_lost() -> None:
    verdict = judge([Count(True, 1, 299), Count(True, 0, 1)])

    assert verdict == Verdict(published=300, acknowledged=300, stored=299, duplicates=0, lost=1)
    assert not verdict.ok


@pytest.mark.parametrize("acknowledged", [True, False])
def test_a_row_too_many_is_a_duplicate_acknowledged_or_not(acknowledged: bool) -> None:
    verdict = judge([Count(True, 1, 10), Count(acknowledged, 3, 2)])

    assert verdict.duplicates == 4
    assert not verdict.ok


@pytest.mark.parametrize("copies", [0, 1])
def test_a_reading_without_acknowledgement_may_be_there_or_not(copies: int) -> None:
    verdict = judge([Count(True, 1, 10), Count(False, copies, 5)])

    assert verdict == Verdict(published=15, acknowledged=10, stored=10, duplicates=0, lost=0)
    assert verdict.ok


def test_loss_and_duplicates_do_not_cancel_out() -> None:
    verdict = judge([Count(True, 0, 1), Count(True, 2, 1)])

    assert (verdict.lost, verdict.duplicates, verdict.stored) == (1, 1, 1)


def test_an_empty_ledger_is_right() -> None:
    assert judge([]).ok


def test_the_last_line_has_the_keys_of_the_contract() -> None:
    assert list(judge([]).as_json()) == ["published", "acknowledged", "stored", "duplicates", "lost"]


@pytest.mark.parametrize("url", ["embedded", "mysql://u:hidden@h/d", "postgresql://u:hidden@127.0.0.1:1/d"])
async def test_a_database_that_cannot_be_asked_names_the_option_and_no_password(url: str) -> None:
    with pytest.raises(BadArgumentError, match="--database-url") as caught:
        await verify([], url)

    assert "hidden" not in str(caught.value)
