"""Numbers that wander around a mean (noise.py): alone, what most real quantities look like from near; or with the day."""

import math
import random
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from device_sim.sensors.curves import DAY_S, wander
from device_sim.sensors.settings import Curve, Gauge, Numbers, Rows, SensorSettings, limits, rounded


class _AroundAMean(SensorSettings):
    mean: float = Field(default=0.0, description="what it returns to")
    sigma: float = Field(default=1.0, ge=0.0, description="standard deviation of its wandering")
    tau_s: float = Field(default=60.0, gt=0.0, description="seconds after which 37 % of a deviation are left")
    spread: float = Field(default=0.0, ge=0.0, description="standard deviation of the devices' own means")
    low: float | None = Field(default=None, description="values below are cut to it")
    high: float | None = Field(default=None, description="values above are cut to it")
    digits: int = Field(default=2, ge=0, le=9, description="decimals")

    def _around(self, rngs: Sequence[random.Random]) -> Curve:
        mean = np.array([rng.gauss(self.mean, self.spread) for rng in rngs])
        offset = wander(self.sigma, self.tau_s, rngs)
        return lambda rows, t: mean[rows] + offset(rows, t)

    def _within(self, curve: Curve) -> Gauge:
        low, high = limits(self.low, self.high)
        return rounded(lambda rows, t: np.clip(curve(rows, t), low, high), self.digits)


class OrnsteinUhlenbeck(_AroundAMean):
    """Wanders around `mean` with standard deviation `sigma`, forgetting over `tau_s` seconds."""

    kind: Literal["ou"]

    def gauge(self, rngs: Sequence[random.Random]) -> Gauge:
        return self._within(self._around(rngs))


class DailyCycle(_AroundAMean):
    """`mean + swing` at `peak_hour` UTC, `mean - swing` twelve hours later; a negative swing turns it round."""

    kind: Literal["daily"]
    mean: float = Field(description="average of the day")
    swing: float = Field(description="from the average to the peak")
    peak_hour: float = Field(default=15.0, ge=0.0, lt=24.0, description="UTC hour of the peak")
    sigma: float = Field(default=0.0, ge=0.0, description="standard deviation of its wandering")
    tau_s: float = Field(default=600.0, gt=0.0, description="seconds after which 37 % of a deviation are left")

    def gauge(self, rngs: Sequence[random.Random]) -> Gauge:
        around, turn, peak_s = self._around(rngs), math.tau / DAY_S, self.peak_hour * 3_600.0

        def curve(rows: Rows, t: Numbers) -> Numbers:
            return around(rows, t) + self.swing * np.cos(turn * (t - peak_s))

        return self._within(curve)
