"""A reading: one value of one metric of one device at one device time. Nothing here knows how it came or where it goes.

Identity is (device, metric, unit, time_us): a second reading with the same four is a repeat, or a conflict when
its value is another: see `StorageSettings.same_time`.
"""

from typing import NamedTuple


class Reading(NamedTuple):
    """What a decoder makes of a payload; a plain tuple, because the hot path builds one for each value."""

    device: str
    metric: str
    time_us: int
    """Device time in microseconds since 1970-01-01 UTC."""
    value: float | str | bool
    """A number (stored as float8: integers beyond 2^53 lose their last digits), a text, or a truth value (0 or 1)."""
    unit: str = ""
    """UCUM code where the payload names one, else empty."""
