"""The deadlines of one connection: CONNECT in time, frames complete in time, a peer that reads. No clock.

`at` is the time at which somebody has to look, or a little before it: what happens in between moves deadlines away, and the
look finds nothing due. Heart-beats are in `heartbeat`.
"""

from enum import Enum
from typing import Final, NamedTuple

# A deadline that has just passed without effect is looked at again a little later.
GRAIN_S: Final = 0.05
NEVER: Final = float("inf")


class DeadlineLimits(NamedTuple):
    """Times, s."""

    connect_s: float = 10.0
    frame_s: float = 30.0
    stall_s: float = 10.0
    close_s: float = 5.0
    confirm_s: float = 30.0


class Due(Enum):
    """What has taken too long."""

    CONNECT = "connect"
    FRAME = "frame"
    STALL = "stall"
    CLOSE = "close"


class Deadlines:
    """When to look at a connection."""

    __slots__ = ("_close_by", "_connect_by", "_frame_since", "_limits", "_paused", "_stalled_since", "at")

    def __init__(self, limits: DeadlineLimits, now: float) -> None:
        self._limits = limits
        self._connect_by: float | None = now + limits.connect_s
        self._close_by: float | None = None
        self._frame_since: float | None = None
        self._stalled_since: float | None = None
        self._paused = False  # we do not read: the peer's silence is our doing
        self.at = self._connect_by

    def opened(self) -> None:
        """CONNECT was accepted."""
        self._connect_by = None

    def frame(self, now: float, *, another: bool) -> None:
        """A frame has begun and is not complete; `another` than the one that had begun before."""
        if self._frame_since is None:
            self._frame_since = now
            self.look(now + self._limits.frame_s)
        elif another:
            # Of a stream that never rests each burst ends within a frame. The look moves on when it comes.
            self._frame_since = now

    def frame_complete(self) -> None:
        """No frame is under way."""
        self._frame_since = None

    def writing_stalled(self, now: float) -> None:
        """The peer did not take everything."""
        self._stalled_since = now
        self.look(now + self._limits.stall_s)

    def writing_resumed(self) -> None:
        """The peer reads again."""
        self._stalled_since = None

    def closing(self, now: float) -> None:
        """What is written last may wait for the peer, but not for ever."""
        self._close_by = now + self._limits.close_s
        self.look(self._close_by)

    def pause(self) -> None:
        """We do not read for a while."""
        self._paused = True

    def resume(self, now: float) -> None:
        """We read again: the peer has its full time for what is under way."""
        self._paused = False
        if self._frame_since is not None:
            self._frame_since = now
            self.look(now + self._limits.frame_s)

    @property
    def paused(self) -> bool:
        return self._paused

    def look(self, when: float) -> None:
        """Look at a time at the latest."""
        self.at = min(self.at, when)

    def due(self, now: float) -> Due | None:
        """Return what has taken too long; a stall is reported once per `stall_s`."""
        limits = self._limits
        if self._connect_by is not None and now >= self._connect_by:
            return Due.CONNECT
        if self._frame_since is not None and not self._paused and now - self._frame_since >= limits.frame_s:
            return Due.FRAME
        if self._stalled_since is not None and now - self._stalled_since >= limits.stall_s:
            self._stalled_since = now
            return Due.STALL
        if self._close_by is not None and now >= self._close_by:
            self._close_by = None
            return Due.CLOSE
        return None

    def plan(self, now: float, *others: float | None) -> None:
        """Set `at` to the earliest of all deadlines, and of those of others."""
        limits = self._limits
        times = [when for when in (self._connect_by, self._close_by, *others) if when is not None]
        if self._frame_since is not None and not self._paused:
            times.append(self._frame_since + limits.frame_s)
        if self._stalled_since is not None:
            times.append(self._stalled_since + limits.stall_s)
        self.at = max(min(times), now + GRAIN_S) if times else NEVER
