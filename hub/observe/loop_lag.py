"""How late the event loop is: the figure behind every latency the hub's clients see.

A single late call back is told by the watchdog. An alarm is raised when the loop is late again and again: in ALARM_OF of the
last looks, a few seconds; it ends when it is late in none of them.
"""

import asyncio
from collections import deque
from typing import Final

import structlog

from hub.observe.watchdog import Watchdog

log = structlog.get_logger("hub.loop_lag")
PERIOD_S: Final = 0.25
LATE_S: Final = 0.1
LOOKS: Final = 20
ALARM_OF: Final = 10


class LoopLag:
    """Measures with a timer how much later than asked the loop calls back."""

    def __init__(self) -> None:
        self.last_s = 0.0
        self.highest_s = 0.0  # since the last `take_highest`
        self.alarm = False  # it is late again and again
        self._watchdog = Watchdog()
        self._late: deque[bool] = deque(maxlen=LOOKS)
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def start(self) -> None:
        """Begin, on the running loop."""
        self._watchdog.start()
        self._plan()

    @property
    def stalls(self) -> int:
        """Return how often the loop was held for longer than the watchdog waits."""
        return self._watchdog.stalls

    def health(self) -> dict[str, object]:
        """Return the check of `/readyz`: an alarm is told, and the hub stays ready, as it does serve."""
        detail = f"late by {self.last_s:.3f} s" + (", again and again: see loop_held in the log" if self.alarm else "")
        return {"ok": True, "alarm": self.alarm, "detail": detail, "stalls": self.stalls}

    def _plan(self) -> None:
        self._watchdog.beat(PERIOD_S)
        loop = asyncio.get_running_loop()
        self._due = loop.time() + PERIOD_S
        self._timer = loop.call_at(self._due, self._tick)

    def stop(self) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._watchdog.stop()

    def take_highest(self) -> float:
        """Return the highest lag since the last call, in s."""
        highest, self.highest_s = self.highest_s, 0.0
        return highest

    def _tick(self) -> None:
        now = asyncio.get_running_loop().time()
        self.last_s = max(0.0, now - self._due)
        self.highest_s = max(self.highest_s, self.last_s)
        self.note(self.last_s)
        self._plan()

    def note(self, late_s: float) -> None:
        """Take one look; raise or end the alarm."""
        self._late.append(late_s > LATE_S)
        count = sum(self._late)
        if not self.alarm and count >= ALARM_OF:
            self.alarm = True
            remedy = "see loop_held for what holds it; fewer clients, fewer messages, or more processor"
            log.warning("loop_lag_alarm", late_s=round(late_s, 3), stalls=self.stalls, remedy=remedy)
        elif self.alarm and not count:
            self.alarm = False
            log.info("loop_lag_over")
