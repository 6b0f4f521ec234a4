"""The newest stored time of each series, by id: tells rows that cannot be repeats from those that may be.

It may call a new row suspect, which costs the row a way through the staging table. It may miss a repeat (after a
restart, or beyond its bound), which the primary key then catches.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from storage.columns import Columns

TRACKED_SERIES: Final = 1 << 22
"""Ids up to this are remembered: 8 bytes each, as far as they are used."""
_NEVER: Final = -(1 << 62)


class NewestTimes:
    """Shared by the writers; updated when a batch is taken in hand, before its commit."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self._times = np.full(1024, _NEVER, np.int64)

    def suspects(self, columns: Columns) -> npt.NDArray[np.bool_] | None:
        """Return a mask of the rows not newer than what was seen before, None for none; then remember the batch."""
        if not len(columns.series):
            return None
        highest = int(columns.series[-1])
        if highest >= TRACKED_SERIES:
            return None
        if highest >= len(self._times):
            grown = np.full(max(highest + 1, 2 * len(self._times)), _NEVER, np.int64)
            grown[: len(self._times)] = self._times
            self._times = grown
        known = self._times[columns.series]
        suspect = columns.time_us <= known
        # Sorted by (series, time): of several rows of a series the last assignment, the newest, stays.
        self._times[columns.series] = np.maximum(columns.time_us, known)
        return suspect if suspect.any() else None
