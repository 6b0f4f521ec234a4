"""How late the event loop is: the figure behind every latency the hub's clients see."""

import asyncio

PERIOD_S = 0.25


class LoopLag:
    """Measures with a timer how much later than asked the loop calls back."""

    def __init__(self) -> None:
        self.last_s = 0.0
        self.highest_s = 0.0  # since the last `take_highest`
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def start(self) -> None:
        """Begin, on the running loop."""
        loop = asyncio.get_running_loop()
        self._due = loop.time() + PERIOD_S
        self._timer = loop.call_at(self._due, self._tick)

    def stop(self) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def take_highest(self) -> float:
        """Return the highest lag since the last call, in s."""
        highest, self.highest_s = self.highest_s, 0.0
        return highest

    def _tick(self) -> None:
        now = asyncio.get_running_loop().time()
        self.last_s = max(0.0, now - self._due)
        self.highest_s = max(self.highest_s, self.last_s)
        self.start()
