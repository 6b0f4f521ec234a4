"""Device clocks: from what a device writes as its time to µs since 1970 UTC.

The magnitude rule (device-formats 0.3): below 1e11 seconds, below 1e14 milliseconds, below 1e17 microseconds, else
nanoseconds; below 1e8 it is no wall clock (the device counts from boot). Finer than a microsecond is truncated, not
rounded, so that a repeat of the message has the same key. A time that cannot be understood is refused, never replaced.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from math import isfinite
from typing import Final

from hub.telemetry.errors import PayloadError

NOT_A_WALL_CLOCK: Final = 10**8
NANOSECONDS_FROM: Final = 10**17
_MAGNITUDES: Final = ((10**11, 1_000_000), (10**14, 1_000))  # seconds, milliseconds

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MAX_CHARS: Final = 64  # with a zone and nine digits behind the second it is 35
_DIGITS: Final = re.compile(r"[0-9]{1,20}", re.ASCII)
_DOTTED_DATE: Final = re.compile(r"([0-9]{4})\.([0-9]{2})\.([0-9]{2})(?=[ T])", re.ASCII)  # old Tasmota
# Date *and* time of day: a date alone would give a day's readings one key and drop all but one.
_DATE_AND_TIME: Final = re.compile(r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}[T t][0-9]{2}.*", re.ASCII | re.DOTALL)


def from_number(value: float) -> int | None:
    """Return µs since 1970, or None when the number is no wall clock.

    Raises:
        PayloadError: reason `bad_time`, for NaN and infinities.

    """
    if value < NOT_A_WALL_CLOCK:
        return None
    for below, unit_us in _MAGNITUDES:
        if value < below:
            # 1715945460.3 * 1e6 is not exact in binary; its nearest microsecond is.
            return value * unit_us if isinstance(value, int) else round(value * unit_us)
    if not isfinite(value):
        raise PayloadError("bad_time", f"{value} is no time")
    return int(value) if value < NANOSECONDS_FROM else int(value) // 1_000


def from_text(text: str, zone: tzinfo = UTC) -> int | None:
    """Return µs since 1970 for RFC 3339 or ISO 8601 text (without a zone it is in `zone`), or for a number in text.

    Of an hour that comes twice in autumn the first is taken.

    None when it is empty or a number that is no wall clock.

    Raises:
        PayloadError: reason `bad_time`.

    """
    text = text.strip()
    if not text:
        return None
    if len(text) > _MAX_CHARS:
        raise PayloadError("bad_time", f"{text[:40]!r}… is longer than a date with a time of day")
    if _DIGITS.fullmatch(text):
        return from_number(int(text))
    dashed = _DOTTED_DATE.sub(r"\1-\2-\3", text)
    if not _DATE_AND_TIME.fullmatch(dashed):
        raise PayloadError("bad_time", f"{text!r} is not a date with a time of day")
    try:
        moment = datetime.fromisoformat(dashed.upper())  # RFC 3339 allows `t` and `z`
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        return (moment - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError) as error:
        raise PayloadError("bad_time", f"{text!r}: {error}") from None


def iso_utc(time_us: int) -> str:
    """Write µs since 1970 as ISO 8601 with `Z`: milliseconds, or microseconds where there are any.

    Raises:
        OverflowError: beyond the year 9999.

    """
    seconds, fraction_us = divmod(time_us, 1_000_000)
    milliseconds, rest_us = divmod(fraction_us, 1_000)
    return f"{_second(seconds)}.{fraction_us:06}Z" if rest_us else f"{_second(seconds)}.{milliseconds:03}Z"


@lru_cache(maxsize=4096)
def iso_bytes(time_us: int) -> bytes:
    """Return `iso_utc` as octets: the readings of a message, and often of a whole fleet, have one time."""
    return iso_utc(time_us).encode()


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    """A whole fleet sends in the same few seconds: 0.5 µs a time instead of 1.5."""
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]
