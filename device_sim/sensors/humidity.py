"""Relative humidity: falls when the day warms."""

import random
from typing import Literal

from device_sim.sensors.daily import warmth
from device_sim.sensors.noise import wander
from device_sim.sensors.settings import Sampler, SensorSettings


class Humidity(SensorSettings):
    """Percent relative humidity with one decimal, held within 5 and 100 as a real probe does."""

    kind: Literal["humidity"] = "humidity"
    unit: str = "%RH"

    def make(self, rng: random.Random) -> Sampler:
        mean, swing = rng.uniform(40.0, 60.0), rng.uniform(6.0, 12.0)
        drift = wander(1.5, 900.0, rng)

        def sample(t: float) -> float:
            value = (mean - swing * warmth(t) + drift(t)) * 10.0
            return (min(max(value, 50.0), 1_000.0) + 0.5) // 1.0 / 10.0

        return sample
