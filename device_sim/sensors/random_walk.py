"""A random walk between two walls: a level, a load, a price. It has no home to return to, unlike `ou`."""

import math
import random
from typing import Literal, Self

from pydantic import Field, model_validator

from device_sim.sensors.normal import BITS, NORMALS
from device_sim.sensors.settings import Sampler, SensorSettings, limits


class RandomWalk(SensorSettings):
    """Brownian motion, reflected at `low` and `high`; exact for any spacing of the samples while far from them."""

    kind: Literal["random-walk"]
    start: float = Field(default=0.0, description="first value")
    step: float = Field(default=1.0, gt=0.0, description="standard deviation of the change within one second")
    low: float | None = Field(default=None, description="lower wall")
    high: float | None = Field(default=None, description="upper wall")
    digits: int = Field(default=2, ge=0, le=9, description="decimals")

    @model_validator(mode="after")
    def _check(self) -> Self:
        low, high = limits(self.low, self.high)
        if not low <= self.start <= high or low == high:
            raise ValueError("`start` must lie between `low` and `high`")
        return self

    def make(self, rng: random.Random) -> Sampler:
        (low, high), step, ticks = limits(self.low, self.high), self.step, 10.0**self.digits
        sqrt, bits, normals = math.sqrt, rng.getrandbits, NORMALS
        value, last_t = self.start, math.inf

        def sample(t: float) -> float:
            nonlocal value, last_t
            if t > last_t:
                value += step * sqrt(t - last_t) * normals[bits(BITS)]
                if not low <= value <= high:
                    value = _reflected(value, low, high)
            last_t = t
            return (value * ticks + 0.5) // 1.0 / ticks

        return sample


def _reflected(value: float, low: float, high: float) -> float:
    """Fold `value` back between the walls, however far it went."""
    if math.isinf(high):
        return 2.0 * low - value
    if math.isinf(low):
        return 2.0 * high - value
    width = high - low
    way = (value - low) % (2.0 * width)
    return low + (way if way <= width else 2.0 * width - way)
