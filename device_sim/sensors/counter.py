"""A counter that grows and now and then begins again: energy, litres, pieces, bytes."""

import math
import random
from typing import Literal

from pydantic import Field

from device_sim.sensors.settings import EachSensor, Sampler

DAY_S = 86_400.0


class Counter(EachSensor):
    """Grows by `per_s` a second; back to 0 at `wrap`, and at random restarts of the device."""

    kind: Literal["counter"]
    start: float = Field(default=0.0, ge=0.0, description="first value")
    per_s: float = Field(default=1.0, ge=0.0, description="mean growth within a second")
    noise: float = Field(default=0.0, ge=0.0, lt=1.0, description="each step is up to this share smaller or larger")
    wrap: float | None = Field(default=None, gt=0.0, description="begins again at 0 when it reaches this")
    resets_per_day: float = Field(default=0.0, ge=0.0, description="mean number of restarts at 0 within a day")
    digits: int = Field(default=3, ge=0, le=9, description="decimals")

    def make(self, rng: random.Random) -> Sampler:
        per_s, noise, wrap, digits, reset_rate = (
            self.per_s,
            self.noise,
            math.inf if self.wrap is None else self.wrap,
            self.digits,
            self.resets_per_day / DAY_S,
        )
        value, last_t, reset_at = self.start, math.inf, math.inf

        def sample(t: float) -> float:
            nonlocal value, last_t, reset_at
            if last_t == math.inf:
                if reset_rate:
                    reset_at = t + rng.expovariate(reset_rate)
            elif t >= reset_at:
                value = 0.0
                reset_at = t + rng.expovariate(reset_rate)
            elif t > last_t:
                growth = per_s * (t - last_t)
                value += growth * rng.uniform(1.0 - noise, 1.0 + noise) if noise else growth
                if value >= wrap:
                    value %= wrap
            last_t = t
            return round(value, digits)

        return sample
