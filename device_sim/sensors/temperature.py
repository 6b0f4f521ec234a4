"""Air temperature near a machine: warm afternoons, cool nights, minutes-long wandering."""

import random
from typing import Literal

from device_sim.sensors.daily import warmth
from device_sim.sensors.noise import wander
from device_sim.sensors.settings import Sampler, SensorSettings


class Temperature(SensorSettings):
    """Degrees Celsius with two decimals, about 12 to 30; each device has its own place, so its own mean."""

    kind: Literal["temperature"] = "temperature"
    unit: str = "Cel"

    def make(self, rng: random.Random) -> Sampler:
        mean, swing = rng.uniform(18.0, 24.0), rng.uniform(2.0, 4.0)
        drift = wander(0.4, 600.0, rng)

        def sample(t: float) -> float:
            return ((mean + swing * warmth(t) + drift(t)) * 100.0 + 0.5) // 1.0 / 100.0

        return sample
