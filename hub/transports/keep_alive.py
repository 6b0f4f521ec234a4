"""WebSocket pings for clients that send no heart-beats: they keep the connection open, and find dead peers.

A browser answers pings by itself, whatever its page does. Over plain TCP the kernel does the same (`tcp.TcpWire`).

All connections have the same period, so the next one due is the one looked at longest ago: one queue and one timer serve
them all, and an idle connection costs an entry.
"""

import asyncio
from collections import OrderedDict

from hub.transports.burst_websocket import BurstProtocol

# Those due within this time are handled together.
_GRAIN_S = 0.05


class KeepAlive:
    """The WebSockets that are pinged."""

    __slots__ = ("_due", "_period_s", "_timer")

    def __init__(self, period_s: float) -> None:
        """Ping every `period_s`; 0: never."""
        self._period_s = period_s
        self._due: OrderedDict[BurstProtocol, float] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._due)

    def add(self, protocol: BurstProtocol) -> None:
        """Ping a WebSocket from now on, until `drop`."""
        if not self._period_s:
            return
        loop = asyncio.get_running_loop()
        self._due[protocol] = loop.time() + self._period_s
        if self._timer is None:
            self._timer = loop.call_later(self._period_s, self._look)

    def drop(self, protocol: BurstProtocol) -> None:
        """Forget a WebSocket, whether it was pinged or not."""
        self._due.pop(protocol, None)

    def stop(self) -> None:
        """Stop the timer: the hub stops."""
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._timer = None
        while self._due:
            protocol, when = next(iter(self._due.items()))
            if when > now + _GRAIN_S:
                self._timer = loop.call_at(when, self._look)
                return
            # It goes to the end before it is looked at: a lost one drops itself.
            self._due.move_to_end(protocol)
            self._due[protocol] = now + self._period_s
            protocol.ping_or_end(self._period_s)
