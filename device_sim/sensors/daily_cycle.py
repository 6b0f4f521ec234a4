"""A quantity that follows the day: warm afternoons, cool nights, with noise that remembers."""

import math
import random
from typing import Literal

from pydantic import Field

from device_sim.sensors.daily import DAY_S
from device_sim.sensors.noise import wander
from device_sim.sensors.settings import Sampler, SensorSettings, limits


class DailyCycle(SensorSettings):
    """`mean + swing` at `peak_hour` UTC, `mean - swing` twelve hours later; a negative swing turns it round."""

    kind: Literal["daily"]
    mean: float = Field(description="average of the day")
    swing: float = Field(description="from the average to the peak")
    peak_hour: float = Field(default=15.0, ge=0.0, lt=24.0, description="UTC hour of the peak")
    sigma: float = Field(default=0.0, ge=0.0, description="standard deviation of the wandering noise")
    tau_s: float = Field(default=600.0, gt=0.0, description="seconds after which 37 % of that noise are left")
    spread: float = Field(default=0.0, ge=0.0, description="standard deviation of the devices' own means")
    low: float | None = Field(default=None, description="values below are cut to it")
    high: float | None = Field(default=None, description="values above are cut to it")
    digits: int = Field(default=2, ge=0, le=9, description="decimals")

    def make(self, rng: random.Random) -> Sampler:
        mean = rng.gauss(self.mean, self.spread)
        swing, peak_s, ticks = self.swing, self.peak_hour * 3_600.0, 10.0**self.digits
        low, high = limits(self.low, self.high)
        cos, turn = math.cos, math.tau / DAY_S
        noise = wander(self.sigma, self.tau_s, rng)

        def sample(t: float) -> float:
            value = mean + swing * cos(turn * (t - peak_s)) + noise(t)
            if not low <= value <= high:
                value = min(max(value, low), high)
            return (value * ticks + 0.5) // 1.0 / ticks

        return sample
