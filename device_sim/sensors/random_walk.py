"""A random walk between two walls: a level, a load, a price. It has no home to return to, unlike `ou`."""

import math
import random
from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from device_sim.sensors.curves import normals
from device_sim.sensors.settings import Gauge, Numbers, Rows, SensorSettings, limits, rounded


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

    def gauge(self, rngs: Sequence[random.Random]) -> Gauge:
        low, high = limits(self.low, self.high)
        draw = normals(rngs)
        values, last_t = np.full(len(rngs), self.start), np.full(len(rngs), np.inf)

        def curve(rows: Rows, t: Numbers) -> Numbers:
            passed_s = np.maximum(t - last_t[rows], 0.0)  # the first value is `start`
            value: Numbers = values[rows] + self.step * np.sqrt(passed_s) * draw(rows)
            for place in np.flatnonzero((value < low) | (value > high)):
                value[place] = _reflected(float(value[place]), low, high)
            values[rows], last_t[rows] = value, t
            return value

        return rounded(curve, self.digits)


def _reflected(value: float, low: float, high: float) -> float:
    """Fold `value` back between the walls, however far it went."""
    if math.isinf(high):
        return 2.0 * low - value
    if math.isinf(low):
        return 2.0 * high - value
    width = high - low
    way = (value - low) % (2.0 * width)
    return low + (way if way <= width else 2.0 * width - way)
