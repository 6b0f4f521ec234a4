"""Where buckets begin: at whole multiples of their width since 1900-01-01 UTC, or at midnights of a time zone. Pure.

A day of a zone lasts from midnight to midnight, 23 or 25 hours where the clock is set; where midnight does not exist that
night, the day begins with the first instant after it, where it comes twice, with the first. Several days are counted from
Monday, 1900-01-01, so weeks begin on Mondays. Buckets narrower than a day know no zone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt

from storage.copy_out import time_literal
from storage.errors import QueryError
from storage.partitions import instant, microseconds
from storage.queries.bucket_plan import DAY_US, HOUR_US, NICE_WIDTHS_US, ORIGIN_US, bucket_count, choose_width

_ORIGIN_DAY: Final = date(1900, 1, 1).toordinal()

Times = npt.NDArray[np.int64]


def zone_of(name: str) -> ZoneInfo:
    """Return the time zone of that name; raises QueryError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise QueryError(f"there is no time zone {name!r}; names are like Europe/Berlin") from None


@dataclass(frozen=True, slots=True)
class Grid:
    """The buckets of one width; with a zone the width is whole days."""

    width_us: int
    zone: ZoneInfo | None = None

    @classmethod
    def narrowest(cls, from_us: int, to_us: int, max_points: int, zone: ZoneInfo | None) -> "Grid":
        """Return the narrowest grid that people count in with at most `max_points` buckets over the range."""
        width_us = choose_width(from_us, to_us, max_points)
        if zone is None or width_us < DAY_US:
            return cls(width_us)
        for days_us in (*(width for width in NICE_WIDTHS_US if width >= width_us), width_us):
            grid = cls(days_us, zone)
            if grid.count(from_us, to_us) <= max_points:
                return grid
        while grid.count(from_us, to_us) > max_points:
            grid = cls(grid.width_us + NICE_WIDTHS_US[-1], zone)
        return grid

    def count(self, from_us: int, to_us: int) -> int:
        """Return how many buckets have an instant of [from_us, to_us)."""
        if self.zone is None:
            return bucket_count(from_us, to_us, self.width_us)
        first, last = self._slots(from_us, to_us, self.zone)
        return last - first + 1

    def begins(self, from_us: int, to_us: int) -> Times:
        """Return where the buckets begin that have an instant of [from_us, to_us); of a grid with a zone."""
        assert self.zone is not None  # noqa: S101 - the others are reckoned
        return np.unique(np.fromiter(self._midnights(from_us, to_us, self.zone), np.int64))

    def floor(self, times: Times) -> Times:
        """Return the begin of each time's bucket."""
        if self.zone is None or not len(times):
            return times - (times - ORIGIN_US) % self.width_us
        begins = self.begins(int(times.min()), int(times.max()) + 1)
        return begins[np.searchsorted(begins, times, "right") - 1]

    def cuts(self, from_us: int, to_us: int) -> list[int]:
        """Return the begins within the range that are not at a whole hour UTC: no hour rollup may stand across one."""
        if self.zone is None:
            return []
        begins = self.begins(from_us, to_us)
        return begins[(begins > from_us) & (begins % HOUR_US != 0)].tolist()  # type: ignore[no-any-return]

    def sql(self, from_us: int, to_us: int) -> str:
        """Return the expression for the begin of the bucket of a `ts` within the range."""
        if self.zone is None:
            return f"date_bin(interval '{self.width_us} microseconds', ts, {time_literal(ORIGIN_US)})"
        begins = f"ARRAY[{','.join(time_literal(begin) for begin in self.begins(from_us, to_us).tolist())}]"
        return f"({begins})[width_bucket(ts, {begins})]"

    def _slots(self, from_us: int, to_us: int, zone: ZoneInfo) -> tuple[int, int]:
        """Return the numbers of the first and the last bucket."""
        days = self.width_us // DAY_US
        first, last = (
            (instant(time_us).astimezone(zone).date().toordinal() - _ORIGIN_DAY) // days
            for time_us in (from_us, to_us - 1)
        )
        return first, last

    def _midnights(self, from_us: int, to_us: int, zone: ZoneInfo) -> Iterator[int]:
        days = self.width_us // DAY_US
        first, last = self._slots(from_us, to_us, zone)
        for slot in range(first, last + 1):
            day = date.fromordinal(_ORIGIN_DAY + slot * days)
            yield microseconds(datetime.combine(day, time(), zone).astimezone(UTC))
