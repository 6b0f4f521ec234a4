"""The leaves that this process knows of, per table, and the making of missing ones.

A copy of the catalogue: it may be behind, because another hub makes and drops leaves too. A writer that finds its leaf
gone forgets the copy and asks again.
"""

from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt

from storage.engine import RawConnection
from storage.partitions import Leaf, find_leaf, make_leaves, microseconds, read_leaves

WIDTHS: Final = {"readings": 1, "readings_text": 1, "quarantine": 7, "rollup_minute": 7, "rollup_hour": 60}
"""Widths of the tables' leaves, as multiples of the readings': a leaf of each holds a comparable number of rows."""


class Leaves:
    """Shared by all connections of a process."""

    def __init__(self, width_us: int) -> None:
        self._width_us = width_us
        self._leaves: dict[str, list[Leaf]] = {}

    def forget(self) -> None:
        self._leaves.clear()

    def width_us(self, table: str) -> int:
        return self._width_us * WIDTHS[table]

    async def known(self, connection: RawConnection, table: str) -> list[Leaf]:
        if table not in self._leaves:
            self._leaves[table] = await read_leaves(connection, table)
        return self._leaves[table]

    async def target(self, connection: RawConnection, table: str, time_us: npt.NDArray[np.int64]) -> str:
        """Return the table to copy rows of these times into: their leaf, or the parent when they span several."""
        known = await self.known(connection, table)
        first, last = int(time_us.min()), int(time_us.max())
        leaf = find_leaf(known, first)
        if leaf is not None and last < leaf.end_us:
            return leaf.name
        times = np.unique(time_us)
        starts = np.array([leaf.start_us for leaf in known], np.int64)
        ends = np.array([leaf.end_us for leaf in known], np.int64)
        slots = np.searchsorted(starts, times, "right") - 1
        covered = (slots >= 0) & (times < ends[np.maximum(slots, 0)]) if len(known) else np.zeros(len(times), np.bool_)
        if not covered.all():
            self._leaves[table] = await make_leaves(connection, table, times[~covered].tolist(), self.width_us(table))
        leaf = find_leaf(self._leaves[table], first)
        return leaf.name if leaf is not None and last < leaf.end_us else table

    async def cover(self, connection: RawConnection, table: str, start: datetime, end: datetime) -> None:
        """Make the leaves that rows of [start, end) need."""
        at, end_us = microseconds(start), microseconds(end)
        while at < end_us:
            leaf = find_leaf(await self.known(connection, table), at)
            if leaf is None:
                self._leaves[table] = await make_leaves(connection, table, [at], self.width_us(table))
            else:
                at = leaf.end_us
