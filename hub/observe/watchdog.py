"""Tells what holds the event loop: a thread looks from outside, because the loop itself cannot.

The loop beats (`beat`, by a timer of `LoopLag`). When its last beat is older than STALL_S the thread takes the stack of the
loop's thread and logs it, once in QUIET_S; each stall is counted. The stack names the functions; no part of
the hot path notes whose bytes it reads, so the client is not known.
"""

import sys
import threading
import time
import traceback
from typing import Final

import structlog

log = structlog.get_logger("hub.watchdog")
STALL_S: Final = 0.1
LOOK_S: Final = 0.05
QUIET_S: Final = 30.0
MOST_FRAMES: Final = 12  # of the stack, the innermost ones


class Watchdog:
    """Watches the thread in which it was started."""

    def __init__(self) -> None:
        self.stalls = 0
        self._beat = time.monotonic()
        self._told = -QUIET_S
        self._stalled_at = 0.0  # the beat of the stall that is counted
        self._thread: threading.Thread | None = None
        self._end = threading.Event()

    def beat(self, due_in_s: float) -> None:
        """Note that the loop turns, and when it will say so again."""
        self._beat = time.monotonic() + due_in_s

    def start(self) -> None:
        """Begin to watch the calling thread."""
        self._end.clear()
        self._beat = time.monotonic()
        watched = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, args=(watched,), name="watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End."""
        if self._thread is not None:
            self._end.set()
            self._thread.join()
            self._thread = None

    def _watch(self, watched: int) -> None:
        while not self._end.wait(LOOK_S):
            beat = self._beat
            late_s = time.monotonic() - beat
            if late_s < STALL_S or beat == self._stalled_at:
                continue
            self._stalled_at = beat
            self.stalls += 1
            now = time.monotonic()
            frame = sys._current_frames().get(watched)
            if frame is not None and now - self._told >= QUIET_S:
                self._told = now
                stack = traceback.extract_stack(frame)[-MOST_FRAMES:]
                held = [f"{one.filename.rpartition('/')[2]}:{one.lineno} {one.name}" for one in stack]
                log.warning("loop_held", for_s=round(late_s, 3), stalls=self.stalls, held_by=held)
