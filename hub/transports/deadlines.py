"""The clocks of one connection, on one timer: CONNECT in time, frames complete in time, a peer that reads, heart-beats.

The timer is set to the earliest deadline and looks at all of them when it fires; what happened in between has moved
them. `Watched` acts on what is due.
"""

import asyncio
from typing import Protocol

from hub.settings.limits import Limits
from hub.stomp.heartbeat import Heartbeat, Pulse

# A deadline that has just passed without effect is looked at again a little later.
_GRAIN_S = 0.05


class Watched(Protocol):
    """The connection."""

    @property
    def opening(self) -> bool:
        """Whether CONNECT has not been answered."""

    @property
    def heartbeat(self) -> Heartbeat | None:
        """The agreed heart-beats, once it is open."""

    def timed_out(self, what: str) -> None:
        """End with an ERROR: the peer took too long for something."""

    def stalled(self) -> bool:
        """The peer has read nothing for long; whether that ended the connection."""

    def beat(self) -> None:
        """Write a heart-beat."""

    def lost(self) -> None:
        """End: the peer's heart-beats have stopped."""


class Deadlines:
    """When to look at a connection."""

    __slots__ = ("_connection", "_frame_since", "_limits", "_loop", "_opened_at", "_paused", "_stalled_since", "_timer")

    def __init__(self, connection: Watched, limits: Limits, loop: asyncio.AbstractEventLoop) -> None:
        self._connection = connection
        self._limits = limits
        self._loop = loop
        self._opened_at = loop.time()
        self._frame_since: float | None = None
        self._stalled_since: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._paused = False  # we do not read: the peer's silence is our doing
        self._arm(self._opened_at + limits.connect_s)

    def opened(self) -> None:
        """CONNECT was accepted."""
        self._arm_next(self._loop.time())

    def frame(self, started: bool, now: float, *, another: bool = False) -> None:
        """A frame has begun and is not complete, or none has; `another` than the one that had begun before."""
        if not started:
            self._frame_since = None
        elif self._frame_since is None:
            self._frame_since = now
            self._arm(now + self._limits.frame_s)
        elif another:
            # Of a stream that never rests each burst ends within a frame. The timer moves on when it fires.
            self._frame_since = now

    def writing_stalled(self) -> None:
        """The peer did not take everything."""
        self._stalled_since = self._loop.time()
        self._arm(self._stalled_since + self._limits.stall_s)

    def writing_resumed(self) -> None:
        """The peer reads again."""
        self._stalled_since = None

    def pause(self) -> None:
        """We do not read for a while."""
        self._paused = True

    def resume(self) -> None:
        """We read again: the peer has its full time for what is under way."""
        self._paused = False
        now = self._loop.time()
        if (heartbeat := self._connection.heartbeat) is not None:
            heartbeat.last_received = now
        if self._frame_since is not None:
            self._frame_since = now
            self._arm(now + self._limits.frame_s)

    def stop(self) -> None:
        """Look no more."""
        self._frame_since = None
        self._disarm()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, when: float) -> None:
        """Look at a time at the latest."""
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._tick)

    def _arm_next(self, now: float) -> None:
        """Look at the earliest deadline."""
        limits = self._limits
        times = [
            since + limit
            for since, limit in (
                (self._opened_at if self._connection.opening else None, limits.connect_s),
                (None if self._paused else self._frame_since, limits.frame_s),
                (self._stalled_since, limits.stall_s),
            )
            if since is not None
        ]
        heartbeat = self._connection.heartbeat
        if heartbeat is not None and (deadline := heartbeat.deadline()) is not None:
            times.append(deadline)
        self._disarm()
        if times:
            self._timer = self._loop.call_at(max(min(times), now + _GRAIN_S), self._tick)

    def _tick(self) -> None:
        """Act on what is due."""
        self._timer = None
        now = self._loop.time()
        limits, connection = self._limits, self._connection
        if connection.opening and now - self._opened_at >= limits.connect_s:
            connection.timed_out(f"no CONNECT within {limits.connect_s:g} s")
            return
        if self._frame_since is not None and not self._paused and now - self._frame_since >= limits.frame_s:
            connection.timed_out(f"a frame was not complete within {limits.frame_s:g} s")
            return
        if self._stalled_since is not None and now - self._stalled_since >= limits.stall_s:
            if connection.stalled():
                return
            self._stalled_since = now
        heartbeat = connection.heartbeat
        if heartbeat is not None:
            if self._paused:
                heartbeat.last_received = now
            pulse = heartbeat.poll(now)
            if pulse is Pulse.DEAD:
                connection.lost()
                return
            if pulse is Pulse.BEAT:
                connection.beat()
        self._arm_next(now)
