"""Devices' clocks: from the true time to what a device writes, wrong where a fault says so, and never the same twice.

Identity is (device, metric, time): two readings with one time would be one row. A clock that is set back passes the same
hours again, so each regime of a clock (as it should be, during a skew, after a jump, …) has ticks of its own: with two
regimes even ones and odd ones. (So a device with a clock fault is up to a tick off even while it is right.) Births that
carry readings are a regime too: a connection may come at any moment. Within a regime times only grow. Nothing has to be
remembered, however long the run.
"""

from collections.abc import Sequence

import numpy as np

from device_sim.faults.settings import ClockFault
from device_sim.sensors.settings import Numbers, Rows

BEFORE_ALL: int = -(2**62)


def step_us(finest_us: int, regimes: int) -> int:
    """Return how far two times of one device are apart at least, with so many faults of its clock and sorts of births."""
    return finest_us << regimes


class RightClocks:
    """The clocks of a class's devices, as they should be; where there are other regimes, this is the first."""

    def __init__(self, step_us: int, devices: int) -> None:
        self._start_us = 0
        self._step_us = step_us
        self._last_us = np.full(devices, BEFORE_ALL)

    def start(self, start_us: int) -> None:
        """Set when the schedule begins, before the first `at`."""
        self._start_us = start_us

    def at(self, rows: Rows, t: Numbers) -> list[int]:
        """Return the devices' times in µs since 1970, `t` seconds after the start; later by a step if one would repeat."""
        time_us = self._start_us + np.rint(t * 1e6).astype(np.int64)
        time_us = np.maximum(time_us - time_us % self._step_us, self._last_us[rows] + self._step_us)
        self._last_us[rows] = time_us
        times: list[int] = time_us.tolist()
        return times


class DeviceClock:
    """The clock of one device that is wrong now and then, or whose births carry readings."""

    __slots__ = ("_births", "_faults", "_finest_us", "_last_us", "_start_us", "_step_us", "ahead_s")

    def __init__(self, finest_us: int, faults: Sequence[ClockFault], *, births: bool) -> None:
        regimes = len(faults) + births
        self._start_us = 0
        self._finest_us = finest_us
        self._faults = faults
        self._births = 1 << len(faults)
        self._step_us = step_us(finest_us, regimes)
        self._last_us = [BEFORE_ALL] * (1 << regimes)
        self.ahead_s = 0.0
        """How far ahead its last time was, in seconds."""

    @property
    def wrong(self) -> bool:
        """Whether it is ever wrong."""
        return bool(self._faults)

    def start(self, start_us: int) -> None:
        """Set when the schedule begins, before the first `at`."""
        self._start_us = start_us

    def at(self, t: float, *, birth: bool = False) -> int:
        """Return the device's time in µs since 1970, `t` seconds after the start; later by a step if it would repeat."""
        regime, step = self._births if birth else 0, self._step_us
        self.ahead_s = 0.0
        for bit, fault in enumerate(self._faults):
            self.ahead_s += fault.offset_s(t)
            regime |= fault.regime(t) << bit
        time_us = self._start_us + round((t + self.ahead_s) * 1e6)
        time_us += regime * self._finest_us - time_us % step
        last_us = self._last_us[regime]
        if time_us <= last_us:
            time_us = last_us + step
        self._last_us[regime] = time_us
        return time_us
