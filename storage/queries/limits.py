"""How much one question may ask for."""

from dataclasses import dataclass


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
