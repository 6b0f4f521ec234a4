"""Relative humidity: falls when the day warms."""

import random
from typing import Literal

from device_sim.sensors.daily import warmth
from device_sim.sensors.noise import Drift
from device_sim.sensors.settings import Sampler, SensorSettings


class Humidity(SensorSettings):
    """Percent relative humidity with one decimal, held within 5 and 100 as a real probe does."""

    kind: Literal["humidity"] = "humidity"
    unit: str = "%RH"

    def make(self, rng: random.Random) -> Sampler:
        mean, swing = rng.uniform(40.0, 60.0), rng.uniform(6.0, 12.0)
        drift = Drift(sigma=1.5, tau_s=900.0).at

        def sample(t: float) -> float:
            return round(min(max(mean - swing * warmth(t) + drift(t, rng), 5.0), 100.0), 1)

        return sample
