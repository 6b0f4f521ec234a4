"""How wide the buckets of a question become, and what is too wide a question. Pure."""

from storage.errors import QueryError, QueryTooWideError
from storage.queries.bucket_plan import MINUTE_US, bucket_count, choose_width
from storage.queries.limits import QueryLimits


def checked_width(
    series: int, from_us: int, to_us: int, max_points: int | None, width_us: int | None, limits: QueryLimits
) -> int:
    """Return the buckets' width in microseconds for exactly one of `max_points` and `width_us`.

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
        width_us = choose_width(from_us, to_us, max_points)
        return max(width_us, MINUTE_US) if raw_only else width_us
    assert width_us is not None  # noqa: S101 - one of the two is given
    narrowest = choose_width(from_us, to_us, points_allowed)
    if raw_only:
        narrowest = max(narrowest, MINUTE_US)
    advice = f"use a width of {narrowest / 1e6:g} s or more, a shorter range, or fewer series"
    points = bucket_count(from_us, to_us, width_us)
    if points > points_allowed:
        raise QueryTooWideError(f"buckets for each of {series} series", points, points_allowed, advice)
    if raw_only and width_us % MINUTE_US:
        asked, allowed = series * (to_us - from_us) / 1e6, limits.raw_us / 1e6
        raise QueryTooWideError(
            "seconds of raw readings over all series", asked, allowed, f"{advice}, in whole minutes"
        )
    return width_us
