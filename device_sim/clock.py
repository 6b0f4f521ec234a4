"""A device's clock: from the true time to what the device writes, wrong where a fault says so, and never the same twice.

Identity is (device, metric, time): two readings with one time would be one row. A clock that is set back passes the same
hours again, so each regime of a clock (as it should be, during a skew, after a jump, …) has ticks of its own: with two
regimes even ones and odd ones. (So a device with a clock fault is up to a tick off even while it is right.) Within a
regime times only grow. Nothing has to be remembered, however long the run.
"""

from collections.abc import Sequence

from device_sim.faults.settings import ClockFault


def step_us(finest_us: int, faults: int) -> int:
    """Return how far two times of one device are apart at least."""
    return finest_us << faults


class Clock:
    """The clock of one device; `ahead_s` says how wrong its last time was."""

    __slots__ = ("_faults", "_finest_us", "_last_us", "_start_us", "_step_us", "ahead_s")

    def __init__(self, finest_us: int, faults: Sequence[ClockFault] = ()) -> None:
        self._start_us = 0
        self._finest_us = finest_us
        self._faults = faults
        self._step_us = step_us(finest_us, len(faults))
        self._last_us = [-(2**62)] * (1 << len(faults))
        self.ahead_s = 0.0

    @property
    def wrong(self) -> bool:
        """Whether it ever is."""
        return bool(self._faults)

    def start(self, start_us: int) -> None:
        """Say when the schedule begins, before the first `at`."""
        self._start_us = start_us

    def at(self, t: float) -> int:
        """Return the device's time in µs since 1970, `t` seconds after the start; later by a step if it would repeat."""
        regime, step = 0, self._step_us
        if self._faults:
            self.ahead_s = 0.0
            for bit, fault in enumerate(self._faults):
                self.ahead_s += fault.offset_s(t)
                regime |= fault.regime(t) << bit
            time_us = self._start_us + round((t + self.ahead_s) * 1e6)
        else:
            time_us = self._start_us + round(t * 1e6)
        time_us += regime * self._finest_us - time_us % step
        last_us = self._last_us[regime]
        if time_us <= last_us:
            time_us = last_us + step
        self._last_us[regime] = time_us
        return time_us
