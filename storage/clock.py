"""The database's clock, as this process reckons it: the clock that all hubs share, and what is wrong with our own.

Measured on each new connection and in each round of maintenance, half of the round trip taken off. In between the
machine's uptime counts on, so that a step of the wall clock is noticed with the next message. While the two clocks
differ by less than `TOLERATED_US` the hub's own is used, which is finer than the measurement.

Nothing is known before the first measurement: times are taken as they are, and are not `trusted`.
"""

import time
from typing import Final

import structlog

from storage.engine import RawConnection

log = structlog.get_logger(__name__)

TOLERATED_US: Final = 2_000_000
ALLOWED_US: Final = 60_000_000
"""Clocks further apart than this are a problem: nothing is dropped by age."""
_UPTIME: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""CLOCK_MONOTONIC stands still while a machine sleeps; macOS has no other."""


class DatabaseClock:
    """Database time from the machine's uptime; one object a process."""

    def __init__(self) -> None:
        self._start_us: int | None = None
        """The database's time when this machine started."""
        self._told = False

    async def measure(self, connection: RawConnection) -> None:
        """Ask the database for its time; say in the log when the clocks begin or cease to disagree."""
        before_us = _uptime_us()
        database_us: int = await connection.fetchval(_NOW)
        self.note(database_us, before_us, _uptime_us())

    def note(self, database_us: int, before_us: int, after_us: int) -> None:
        """Take over what the database answered between two instants of the uptime."""
        self._start_us = database_us - (before_us + after_us) // 2
        disagree = self.problem is not None
        if disagree and not self._told:
            log.warning("clocks_disagree", hub_ahead_s=round(-self.offset_s, 1), problem=self.problem)
        elif self._told and not disagree:
            log.info("clocks_agree", hub_ahead_s=round(-self.offset_s, 1))
        self._told = disagree

    def database_us(self) -> int:
        """Return the database's time in µs since 1970; the hub's own before the first measurement."""
        return _wall_us() if self._start_us is None else self._start_us + _uptime_us()

    def now_us(self) -> int:
        """Return the time to use for now."""
        return self.corrected(_wall_us())

    def corrected(self, wall_us: int) -> int:
        """Return the time to use where the hub's clock has just shown `wall_us`."""
        if self._start_us is None:
            return wall_us
        database_us = self._start_us + _uptime_us()
        return wall_us if -TOLERATED_US <= database_us - wall_us <= TOLERATED_US else database_us

    @property
    def offset_s(self) -> float:
        """By how much the database's clock is ahead of the hub's, in seconds; 0 before the first measurement."""
        return (self.database_us() - _wall_us()) / 1_000_000

    @property
    def trusted(self) -> bool:
        """Whether the hub's clock was compared with the database's, and agrees."""
        return self._start_us is not None and abs(self.offset_s) * 1_000_000 <= ALLOWED_US

    @property
    def problem(self) -> str | None:
        """What is wrong with the hub's clock; None when nothing is, or nothing is known."""
        offset_s = self.offset_s
        if abs(offset_s) * 1_000_000 <= ALLOWED_US:
            return None
        side = "behind" if offset_s > 0 else "ahead of"
        return (
            f"the hub's clock is {abs(offset_s):,.0f} s {side} the database's: set the wrong one right (NTP); until then"
            " readings without a time get the database's, and nothing is dropped by age"
        )


def _wall_us() -> int:
    return time.time_ns() // 1000


def _uptime_us() -> int:
    return time.clock_gettime_ns(_UPTIME) // 1000


_NOW: Final = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8"
