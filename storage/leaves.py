"""The leaves that this process knows of, per table, and the making of missing ones.

A copy of the catalogue: it may be behind, because another hub makes and drops leaves too. A writer that finds its leaf
gone forgets the copy and asks again.
"""

import time
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt

from storage.engine import RawConnection
from storage.partitions import Leaf, find_leaf, make_leaf, microseconds, read_leaves, width_at

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
        """Return the width of a leaf of today."""
        return self._width_us * WIDTHS[table]

    async def known(self, connection: RawConnection, table: str) -> list[Leaf]:
        if table not in self._leaves:
            self._leaves[table] = await read_leaves(connection, table)
        return self._leaves[table]

    async def make(self, connection: RawConnection, table: str, time_us: int) -> None:
        """Make the leaf that holds the instant, if it is missing."""
        width_us = width_at(time_us, time.time_ns() // 1000, self.width_us(table))
        self._leaves[table] = await make_leaf(connection, table, time_us, width_us)

    async def slots(
        self, connection: RawConnection, table: str, time_us: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.intp]:
        """Return for each time the number of its leaf in `known`, -1 where there is none."""
        known = await self.known(connection, table)
        if not known:
            return np.full(len(time_us), -1, np.intp)
        starts = np.array([leaf.start_us for leaf in known], np.int64)
        ends = np.array([leaf.end_us for leaf in known], np.int64)
        slots = np.searchsorted(starts, time_us, "right") - 1
        return np.where((slots >= 0) & (time_us < ends[np.maximum(slots, 0)]), slots, -1)

    async def target(self, connection: RawConnection, table: str, first_us: int, last_us: int) -> str:
        """Return the table to copy rows of these times into: their leaf, or the parent when they span several."""
        leaf = find_leaf(await self.known(connection, table), first_us)
        return leaf.name if leaf is not None and last_us < leaf.end_us else table

    async def cover(self, connection: RawConnection, table: str, start: datetime, end: datetime) -> None:
        """Make the leaves that rows of [start, end) need."""
        at, end_us = microseconds(start), microseconds(end)
        while at < end_us:
            leaf = find_leaf(await self.known(connection, table), at)
            if leaf is None:
                await self.make(connection, table, at)
            else:
                at = leaf.end_us
