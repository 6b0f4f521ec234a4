"""Local times without a zone on one topic: which hour is meant when it comes twice, as the clock is set back in autumn.

The text alone cannot say. The rules, in this order:
- The second hour, if it is not there yet, is not meant.
- Of a topic that was quiet, or whose last message came as it was measured, the second is meant by what is received
  then, the first by what comes later.
- A time that goes back by more than half of what the clock is set back begins the other hour.
- All else is in the hour of the time before.

So a device that sends as it measures has both hours right, also when the hub was started between them; one that sends its
memory later has, as long as it sends in the order of its times. The same memory sent again is read the same way.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
AHEAD_US: Final = 300_000_000
"""By how much a device's clock may be ahead of ours."""
LIVE_US: Final = 600_000_000
"""A time that is received within this was measured now."""
QUIET_US: Final = 1_800_000_000


class LocalTimes:
    """One topic's way through the hours that come twice."""

    __slots__ = ("_last", "_live", "_received_us", "_second", "_zone")

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._last: datetime | None = None
        self._received_us = 0
        self._second = False
        self._live = False

    def microseconds(self, moment: datetime, received_us: int) -> int:
        """Return the µs since 1970 of a moment without a zone, received in a µs."""
        first_us, second_us = (
            (moment.replace(tzinfo=self._zone, fold=fold) - _EPOCH) // _MICROSECOND for fold in (0, 1)
        )
        if second_us <= first_us:  # it comes once, or was left out in spring
            self._last = None
            return first_us
        if second_us > received_us + AHEAD_US:
            self._second = False
        elif self._last is None or self._live or received_us - self._received_us > QUIET_US:
            self._second = received_us - second_us <= LIVE_US
        elif (self._last - moment) // _MICROSECOND > (second_us - first_us) // 2:
            self._second = not self._second
        self._last, self._received_us = moment, received_us
        time_us = second_us if self._second else first_us
        self._live = received_us - time_us <= LIVE_US
        return time_us
