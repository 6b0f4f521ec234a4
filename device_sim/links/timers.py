"""Deadlines of many connections on one event loop: a heap and one tick, no timer and no task a connection.

Good to TICK_S, which is enough for keep-alives and back-off. A deadline cannot be cancelled: it calls its owner, who
looks whether it still means anything.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable

TICK_S = 0.02


class Timers:
    """Owned by a link: `start` on the loop, `close` at the end. An exception of a callback is kept in `failure`."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._handle: asyncio.TimerHandle | None = None
        self.failure: Exception | None = None

    def start(self) -> None:
        self._handle = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._heap.clear()

    def after(self, delay_s: float, call: Callable[[], object]) -> None:
        """Call in `delay_s` or up to a tick later."""
        heapq.heappush(self._heap, (time.monotonic() + delay_s, next(self._order), call))

    def _tick(self) -> None:
        self._handle = asyncio.get_running_loop().call_later(TICK_S, self._tick)
        now = time.monotonic()
        while self._heap and self._heap[0][0] <= now:
            _, _, call = heapq.heappop(self._heap)
            try:
                call()
            except Exception as error:  # noqa: BLE001 - task border: one connection's bug is reported, and does not end the others
                self.failure = self.failure or error
