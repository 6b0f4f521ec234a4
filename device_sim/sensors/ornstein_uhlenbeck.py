"""Noise that remembers (see noise.py) around a mean: what most real quantities look like from near."""

import random
from typing import Literal

from pydantic import Field

from device_sim.sensors.noise import wander
from device_sim.sensors.settings import Sampler, SensorSettings, limits


class OrnsteinUhlenbeck(SensorSettings):
    """Wanders around `mean` with standard deviation `sigma`, forgetting over `tau_s` seconds."""

    kind: Literal["ou"]
    mean: float = Field(default=0.0, description="what it returns to")
    sigma: float = Field(default=1.0, ge=0.0, description="standard deviation")
    tau_s: float = Field(default=60.0, gt=0.0, description="seconds after which 37 % of a deviation are left")
    spread: float = Field(default=0.0, ge=0.0, description="standard deviation of the devices' own means")
    low: float | None = Field(default=None, description="values below are cut to it")
    high: float | None = Field(default=None, description="values above are cut to it")
    digits: int = Field(default=2, ge=0, le=9, description="decimals")

    def make(self, rng: random.Random) -> Sampler:
        mean = rng.gauss(self.mean, self.spread)
        (low, high), ticks = limits(self.low, self.high), 10.0**self.digits
        offset = wander(self.sigma, self.tau_s, rng)

        def sample(t: float) -> float:
            value = mean + offset(t)
            if not low <= value <= high:
                value = min(max(value, low), high)
            return (value * ticks + 0.5) // 1.0 / ticks

        return sample
