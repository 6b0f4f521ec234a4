"""Air pressure: hours-long weather with the half-daily tide on top."""

import random
from typing import Literal

from device_sim.sensors.daily import tide
from device_sim.sensors.noise import wander
from device_sim.sensors.settings import Sampler, SensorSettings


class Pressure(SensorSettings):
    """Hectopascal with two decimals, about 985 to 1035."""

    kind: Literal["pressure"] = "pressure"
    unit: str = "hPa"

    def make(self, rng: random.Random) -> Sampler:
        mean = rng.uniform(1005.0, 1020.0)
        weather, reading = wander(4.0, 36_000.0, rng), wander(0.05, 5.0, rng)

        def sample(t: float) -> float:
            return ((mean + tide(t) + weather(t) + reading(t)) * 100.0 + 0.5) // 1.0 / 100.0

        return sample
