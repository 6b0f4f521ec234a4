"""Time stamps of recordings: ISO 8601 (without zone: UTC) or a number since the epoch, its unit by its magnitude."""

import math
from datetime import UTC, datetime, timedelta

from device_sim.errors import BadArgumentError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# 1e11 s is the year 5138; 1e11 ms is 1973: a number belongs to the smallest unit that puts it after 1973.
EPOCH_UNITS_US = ((1e11, 1_000_000.0), (1e14, 1_000.0), (1e17, 1.0), (math.inf, 0.001))


def parse_time_us(text: str | None, where: str) -> int:
    """Return microseconds since the epoch of an ISO 8601 stamp or a number; `where` goes into the error."""
    text = (text or "").strip()
    try:
        number = float(text)
    except ValueError:
        pass
    else:
        if math.isfinite(number):
            return round(number * next(us for limit, us in EPOCH_UNITS_US if abs(number) < limit))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        problem = f"{where}: timestamp {text!r} is neither ISO 8601 nor a number since the epoch"
        raise BadArgumentError("FILE", problem) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(microseconds=1)
