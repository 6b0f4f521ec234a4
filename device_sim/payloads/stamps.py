"""Time as text, the forms that devices use."""

from datetime import UTC, datetime
from functools import lru_cache

US_PER_S = 1_000_000


@lru_cache(maxsize=64)
def second(seconds: int) -> str:
    """Return `2026-11-20T16:00:00`, UTC; a fleet sends in the same few seconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def iso_ms(time_us: int) -> str:
    """Return `2026-11-20T16:00:00.123Z`."""
    seconds, us = divmod(time_us, US_PER_S)
    return f"{second(seconds)}.{us // 1_000:03}Z"


def iso_ns(time_us: int) -> str:
    """Return `2026-11-20T16:00:00.123000000`, without a zone."""
    seconds, us = divmod(time_us, US_PER_S)
    return f"{second(seconds)}.{us * 1_000:09}"
