"""Noise that remembers (see noise.py) around a mean: what most real quantities look like from near."""

import math
import random
from typing import Literal

from pydantic import Field

from device_sim.sensors.settings import Sampler, SensorSettings


class OrnsteinUhlenbeck(SensorSettings):
    """Wanders around `mean` with standard deviation `sigma`, forgetting over `tau_s` seconds."""

    kind: Literal["ou"]
    mean: float = Field(default=0.0, description="what it returns to")
    sigma: float = Field(default=1.0, ge=0.0, description="standard deviation")
    tau_s: float = Field(default=60.0, gt=0.0, description="seconds after which 37 % of a deviation are left")
    spread: float = Field(default=0.0, ge=0.0, description="standard deviation of the devices' own means")
    low: float = Field(default=-math.inf, description="values below are cut to it")
    high: float = Field(default=math.inf, description="values above are cut to it")
    digits: int = Field(default=2, ge=0, le=9, description="decimals")

    def make(self, rng: random.Random) -> Sampler:
        mean = rng.gauss(self.mean, self.spread)
        sigma, tau_s, low, high, digits = self.sigma, self.tau_s, self.low, self.high, self.digits
        gauss, exp, sqrt = rng.gauss, math.exp, math.sqrt
        offset, last_t = rng.gauss(0.0, sigma), math.inf

        def sample(t: float) -> float:
            nonlocal offset, last_t
            if t > last_t:
                kept = exp((last_t - t) / tau_s)
                offset = offset * kept + sigma * sqrt(1.0 - kept * kept) * gauss(0.0, 1.0)
            last_t = t
            value = mean + offset
            return round(min(max(value, low), high), digits)

        return sample
