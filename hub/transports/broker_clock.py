"""The hub's timer for held messages: wakes the broker when the next one is due."""

import asyncio
from collections.abc import Callable


class BrokerClock:
    """Calls `release(now)` at the times that were asked for, and at those that it answers with."""

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None
        self._release: Callable[[float], float | None] | None = None

    def drive(self, release: Callable[[float], float | None]) -> None:
        """Set what is called."""
        self._release = release

    def wake_at(self, when: float) -> None:
        """Wake at a time (s, the loop's clock) at the latest."""
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(when, self._tick)

    def stop(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        if self._release is not None:
            following = self._release(asyncio.get_running_loop().time())
            if following is not None:
                self.wake_at(following)
