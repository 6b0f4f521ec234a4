"""Whether the simulator itself was the bottleneck: how late its own event loop runs, and how much of a core it takes.

A task that wants to wake every PERIOD_S measures how much later it does. Everything on the loop waits as long: sends,
and the clock that stops at an acknowledgement. A run whose loop lags, or whose messages left late although the link had
room, says more about the simulator than about the system under test, and is marked invalid with the reason.
"""

import asyncio
import time

from device_sim.figures.results import LOOP_LAG, Recorder
from device_sim.run.publisher import OWN_LATE_S, Publisher

PERIOD_S = 0.015
LAG_P99_S = 0.1
"""One percent of all moments waited longer than this: latencies of the same size mean nothing."""
OWN_LATE_SHARE = 0.01


class OwnLag:
    """Measures while `run` runs; `judge` at the end."""

    def __init__(self, recorder: Recorder, publisher: Publisher) -> None:
        self._recorder = recorder
        self._publisher = publisher
        self._wall = time.monotonic()
        self._cpu = time.process_time()
        self.last_s = 0.0
        """The latest lag."""

    async def run(self) -> None:
        """Measure until cancelled."""
        self._wall, self._cpu = time.monotonic(), time.process_time()
        while True:
            due = time.monotonic() + PERIOD_S
            await asyncio.sleep(PERIOD_S)
            self.last_s = max(time.monotonic() - due, 0.0)
            self._recorder.lagged(self._publisher.now_s, self.last_s)

    @property
    def cpu_share(self) -> float:
        """Return the CPU time of this process as a share of one core since the beginning."""
        return (time.process_time() - self._cpu) / max(time.monotonic() - self._wall, 1e-6)

    def judge(self) -> None:
        """Mark the run invalid if the simulator was the bottleneck."""
        recorder, tally = self._recorder, self._publisher.tally
        cpu = f"the process took {self.cpu_share:.0%} of a core"
        lag = recorder.latencies.get(LOOP_LAG)
        if lag is not None and (p99_s := lag.percentile_s(99.0)) > LAG_P99_S:
            recorder.invalidate(
                f"the simulator's event loop was late by {p99_s * 1e3:.0f} ms (p99, at most {LAG_P99_S * 1e3:.0f}); {cpu}"
            )
        if tally.own_late > OWN_LATE_SHARE * tally.messages:
            recorder.invalidate(
                f"{tally.own_late:,} of {tally.messages:,} messages left {OWN_LATE_S * 1e3:.0f} ms late or more although "
                f"the link had room; {cpu}"
            )
