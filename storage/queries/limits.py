"""How much one question may ask for, and how wide its buckets become. Pure."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from storage.errors import QueryError, QueryTooWideError
from storage.queries.bucket_plan import DAY_US, MINUTE_US
from storage.queries.grid import Grid


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """Bounds of a question; they bound the server's work and the memory of an answer, not what can be found out."""

    latest_series: int = 20_000
    """Series in one `latest`."""
    page_rows: int = 50_000
    """Readings in one page."""
    buckets: int = 200_000
    """Buckets over all series of one question: 15 MB."""
    raw_us: int = 40 * 86_400_000_000
    """Range times series of a question for buckets narrower than a minute: only raw readings can answer that."""


DEFAULT_LIMITS = QueryLimits()


def checked_grid(
    series: int,
    from_us: int,
    to_us: int,
    max_points: int | None,
    width_us: int | None,
    limits: QueryLimits,
    zone: ZoneInfo | None = None,
) -> Grid:
    """Return the buckets for exactly one of `max_points` and `width_us`.

    Raises QueryTooWideError, which names the narrowest width that is allowed, and QueryError for nonsense.
    """
    if (max_points is None) == (width_us is None):
        raise QueryError("buckets: give either max_points or a width")
    if (max_points or width_us or 0) < 1:
        raise QueryError("buckets: max_points and width must be positive")
    points_allowed = max(1, limits.buckets // max(1, series))
    if max_points is not None and max_points > points_allowed:
        raise QueryTooWideError(f"points for each of {series} series", max_points, points_allowed, "ask for fewer")
    raw_only = series * (to_us - from_us) > limits.raw_us
    if max_points is not None:
        grid = Grid.narrowest(from_us, to_us, max_points, zone)
        return Grid(MINUTE_US) if raw_only and grid.width_us < MINUTE_US else grid
    assert width_us is not None  # noqa: S101 - one of the two is given
    if zone is not None and width_us % DAY_US:
        raise QueryError("buckets: with a zone the width is whole days (86,400 s each)")
    narrowest = Grid.narrowest(from_us, to_us, points_allowed, zone).width_us
    if raw_only:
        narrowest = max(narrowest, MINUTE_US)
    advice = f"use a width of {narrowest / 1e6:g} s or more, a shorter range, or fewer series"
    grid = Grid(width_us, zone)
    points = grid.count(from_us, to_us)
    if points > points_allowed:
        raise QueryTooWideError(f"buckets for each of {series} series", points, points_allowed, advice)
    if raw_only and width_us % MINUTE_US:
        asked, allowed = series * (to_us - from_us) / 1e6, limits.raw_us / 1e6
        raise QueryTooWideError(
            "seconds of raw readings over all series", asked, allowed, f"{advice}, in whole minutes"
        )
    return grid
