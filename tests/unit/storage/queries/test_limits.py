"""Widths within the limits; what is too wide is refused with what would be allowed."""

from zoneinfo import ZoneInfo

import pytest

from storage.errors import QueryError, QueryTooWideError
from storage.queries.bucket_plan import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from storage.queries.grid import Grid
from storage.queries.limits import QueryLimits, checked_grid

LIMITS = QueryLimits(buckets=1_000, raw_us=DAY_US)
NOW = 20_000 * DAY_US


def test_max_points_choose_the_next_width_that_people_count_in() -> None:
    assert checked_grid(1, NOW - 30 * DAY_US, NOW, 500, None, LIMITS).width_us == 2 * HOUR_US
    assert checked_grid(1, NOW - DAY_US, NOW, 500, None, LIMITS).width_us == 5 * MINUTE_US
    assert checked_grid(1, NOW - HOUR_US, NOW, 500, None, LIMITS).width_us == 10 * SECOND_US


def test_a_width_with_too_many_buckets_is_refused_with_one_that_is_allowed() -> None:
    with pytest.raises(QueryTooWideError, match="a width of 28800 s or more") as refused:
        checked_grid(10, NOW - 30 * DAY_US, NOW, None, MINUTE_US, LIMITS)

    assert refused.value.asked == 30 * 24 * 60
    assert refused.value.allowed == 100
    assert checked_grid(10, NOW - 30 * DAY_US, NOW, None, 8 * HOUR_US, LIMITS).width_us == 8 * HOUR_US


def test_more_points_than_allowed_for_so_many_series_are_refused() -> None:
    with pytest.raises(QueryTooWideError, match="at most 100 are allowed"):
        checked_grid(10, NOW - HOUR_US, NOW, 101, None, LIMITS)


def test_narrow_buckets_over_more_raw_readings_than_allowed_are_refused_or_widened_to_minutes() -> None:
    with pytest.raises(QueryTooWideError, match="in whole minutes"):
        checked_grid(1, NOW - 2 * DAY_US, NOW, None, 1_000 * SECOND_US + 1, LIMITS)

    assert checked_grid(40, NOW - HOUR_US, NOW, 25, None, LIMITS).width_us == 5 * MINUTE_US
    assert checked_grid(1_000, NOW - 10 * MINUTE_US, NOW, 1, None, LIMITS).width_us % MINUTE_US == 0


@pytest.mark.parametrize(("max_points", "width"), [(None, None), (10, MINUTE_US), (0, None), (None, 0), (-1, None)])
def test_nonsense_is_refused(max_points: int | None, width: int | None) -> None:
    with pytest.raises(QueryError):
        checked_grid(1, NOW - HOUR_US, NOW, max_points, width, LIMITS)


def test_with_a_zone_widths_are_whole_days() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    with pytest.raises(QueryError, match="whole days"):
        checked_grid(1, NOW - HOUR_US, NOW, None, HOUR_US, LIMITS, berlin)

    assert checked_grid(1, NOW - 30 * DAY_US, NOW, 100, None, LIMITS, berlin).zone is None
    assert checked_grid(1, NOW - 30 * DAY_US, NOW, 40, None, LIMITS, berlin) == Grid(DAY_US, berlin)
