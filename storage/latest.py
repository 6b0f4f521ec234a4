"""The newest known time of each series, by device time and not by arrival: what makes a reading late.

A bounded memory, filled from the database for series that it does not know.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

UNLEARNT_LIMIT: Final = 20_000


class Lateness:
    """The newest time of at most `limit` series, as this hub has seen them.

    Only readings that somebody watches are observed; `written_us` tells about those written meanwhile.

    Keys seen for the first time are gathered in `unlearnt`, so that their newest stored time can be looked up: until
    then, so after a restart for a moment, a late reading of theirs is not noticed.
    """

    def __init__(self, limit: int, written_us: Callable[[tuple[str, str]], int | None] = lambda _: None) -> None:
        self._limit = limit
        self._written_us = written_us
        self._newest: OrderedDict[tuple[str, str], int] = OrderedDict()
        self.unlearnt: set[tuple[str, str]] = set()

    def observe(self, device: str, metric: str, time_us: int) -> bool:
        """Return True if a reading of the series with a later time was seen before."""
        key = (device, metric)
        newest = self._newest.get(key)
        if newest is not None and time_us < newest:
            return True
        written = self._written_us(key)
        if written is not None and time_us < written:
            self._newest[key] = written
            return True
        self._newest[key] = time_us
        if newest is None:
            if len(self.unlearnt) < UNLEARNT_LIMIT:
                self.unlearnt.add(key)
            if len(self._newest) > self._limit:
                self._newest.popitem(last=False)
        return False

    def learn(self, key: tuple[str, str], time_us: int) -> None:
        """Take over a time from the database."""
        known = self._newest.get(key)
        if known is not None and known < time_us:
            self._newest[key] = time_us
