"""Days of time zones: 23, 24 and 25 hours, midnights that do not exist, that come twice, days that never were."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from storage.errors import QueryError
from storage.partitions import instant, microseconds
from storage.queries.bucket_plan import DAY_US, HOUR_US, MINUTE_US, Piece, Progress, Source, plan
from storage.queries.grid import Grid, zone_of


def at(text: str) -> int:
    return microseconds(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("zone", "day", "begins", "hours"),
    [
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00", 23),
        ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00", 25),
        ("America/New_York", "2026-11-01", "2026-11-01T04:00", 25),
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00", 24.5),
        ("Asia/Kathmandu", "2026-04-05", "2026-04-04T18:15", 24),
        ("Asia/Beirut", "2026-03-29", "2026-03-28T22:00", 23),  # midnight does not exist
        ("America/Havana", "2026-11-01", "2026-11-01T04:00", 25),  # midnight comes twice
        ("Africa/Monrovia", "1971-05-05", "1971-05-05T00:44:30", 24),
    ],
)
def test_a_day_begins_at_its_midnight_and_lasts_as_long_as_it_does(
    zone: str, day: str, begins: str, hours: float
) -> None:
    noon = at(f"{day}T12:00")

    found = Grid(DAY_US, ZoneInfo(zone)).begins(noon - 12 * HOUR_US, noon + 2 * DAY_US)

    (index,) = np.flatnonzero(found == at(begins))
    assert hours * HOUR_US == found[index + 1] - found[index]


def test_a_day_that_never_was_is_no_bucket() -> None:
    """Samoa left out 2011-12-30."""
    begins = Grid(DAY_US, ZoneInfo("Pacific/Apia")).begins(at("2011-12-29T12:00"), at("2012-01-01T12:00"))

    assert ["2011-12-29", "2011-12-31", "2012-01-01", "2012-01-02"] == [
        str(instant(int(begin)).astimezone(ZoneInfo("Pacific/Apia")).date()) for begin in begins
    ]


def test_weeks_begin_on_mondays() -> None:
    zone = ZoneInfo("Europe/Berlin")

    begins = Grid(7 * DAY_US, zone).begins(at("2026-10-01T00:00"), at("2026-12-01T00:00"))

    assert {(0, 0)} == {(day.weekday(), day.hour) for day in (instant(int(at)).astimezone(zone) for at in begins)}


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kathmandu", "UTC"])
@pytest.mark.parametrize("points", [1, 2, 7, 60, 365, 366])
def test_the_narrowest_grid_has_no_more_buckets_than_asked_for(zone: str, points: int) -> None:
    start, end = at("2025-11-03T17:20"), at("2026-11-03T16:00")

    grid = Grid.narrowest(start, end, points, ZoneInfo(zone))

    assert grid.count(start, end) <= points
    if grid.zone is not None:
        assert grid.count(start, end) == len(grid.begins(start, end))


def test_no_rollup_stands_across_the_begin_of_a_bucket_while_there_are_finer_rows() -> None:
    start = at("2026-06-01T00:00")
    cut, odd = start + 18 * HOUR_US + 15 * MINUTE_US, start + 40 * HOUR_US + 30_000_000
    rolled = start + 3 * DAY_US

    pieces = plan(start, rolled, DAY_US, Progress(rolled, rolled), [], [cut, odd])

    kinds = {piece.source: [one for one in pieces if one.source is piece.source] for piece in pieces}
    assert [Piece(Source.RAW, odd - 30_000_000, odd + 30_000_000)] == kinds[Source.RAW]
    assert all(not piece.start_us < cut < piece.end_us for piece in kinds[Source.HOUR])
    assert [start, *(piece.end_us for piece in pieces)] == [*(piece.start_us for piece in pieces), rolled]
    coarse = plan(start, rolled, DAY_US, Progress(rolled, rolled, rolled, rolled), [], [cut, odd])
    assert [Piece(Source.HOUR, start, rolled)] == coarse


def test_a_zone_that_does_not_exist_is_refused() -> None:
    for name in ("Mars/Olympus", "", "../etc/passwd", "Europe"):
        with pytest.raises(QueryError, match="no time zone"):
            zone_of(name)
