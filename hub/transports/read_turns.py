"""Shares the event loop between the connections that have something to read.

The cost of a burst depends on its content: 64 KiB of telemetry take 3 ms, of empty pings 15 ms, and of SENDs to a thousand
subscribers a second. So a reader's share is counted in time:

- a burst that took longer than `SLICE_S` makes the reader's next one smaller, and a quick one larger again;
- when readers have had the loop for `TURN_S`, the others wait in order until timers and writers had their turn.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

SLICE_S = 0.005
TURN_S = 0.02
MOST_BYTES = 65_536
LEAST_BYTES = 512


class ReadTurns:
    """The turns of one event loop."""

    __slots__ = ("_until", "_waiting")

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._until = 0.0

    def may_read(self, now: float) -> bool:
        """Whether a reader may take a burst now; otherwise it calls `wait`."""
        return now < self._until and not self._waiting

    def wait(self, read: Callable[[], None]) -> None:
        """Call `read` in a later turn of the loop, after those who wait longer."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._next_turn)
        self._waiting.append(read)

    def _next_turn(self) -> None:
        waiting = self._waiting
        now = time.monotonic()
        self._until = until = now + TURN_S
        while waiting and now < until:
            waiting.popleft()()
            now = time.monotonic()
        if waiting:
            asyncio.get_running_loop().call_soon(self._next_turn)


def next_size(size: int, took_s: float) -> int:
    """Return how much to read next, after a full burst of `size` bytes took so long."""
    if took_s > SLICE_S:
        return max(LEAST_BYTES, int(size * SLICE_S / took_s))
    return min(MOST_BYTES, 2 * size) if took_s < SLICE_S / 2 else size
