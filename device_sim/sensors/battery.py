"""A battery that runs down, and is changed or not."""

import math
import random
from typing import Literal

from pydantic import Field

from device_sim.sensors.settings import EachSensor, Sampler


class Battery(EachSensor):
    """Percent of charge: falls evenly from `start` to `end` within `lasts_s`, each device at a pace of its own."""

    kind: Literal["battery"]
    start: float = Field(default=100.0, gt=0.0, le=100.0, description="percent of a fresh battery")
    end: float = Field(default=0.0, ge=0.0, lt=100.0, description="percent at which it is changed, or stays")
    lasts_s: float = Field(default=31_536_000.0, gt=0.0, description="seconds from `start` to `end`")
    spread: float = Field(default=0.1, ge=0.0, lt=1.0, description="devices last up to this share shorter or longer")
    aged: bool = Field(default=False, description="whether devices begin anywhere between `start` and `end`")
    change: bool = Field(default=False, description="whether it begins again at `start`")
    digits: int = Field(default=0, ge=0, le=9, description="decimals")

    def make(self, rng: random.Random) -> Sampler:
        start, fall, change, digits = self.start, self.start - self.end, self.change, self.digits
        lasts_s = self.lasts_s * rng.uniform(1.0 - self.spread, 1.0 + self.spread)
        used_s = rng.uniform(0.0, lasts_s) if self.aged else 0.0
        begin = math.nan

        def sample(t: float) -> float:
            nonlocal begin
            if math.isnan(begin):
                begin = t - used_s
            used = (t - begin) / lasts_s
            used = used % 1.0 if change else min(used, 1.0)
            return round(start - fall * used, digits)

        return sample
