"""Air pressure: hours-long weather with the half-daily tide on top."""

import random
from typing import Literal

from device_sim.sensors.daily import tide
from device_sim.sensors.noise import Drift
from device_sim.sensors.settings import Sampler, SensorSettings


class Pressure(SensorSettings):
    """Hectopascal with two decimals, about 985 to 1035."""

    kind: Literal["pressure"] = "pressure"
    unit: str = "hPa"

    def make(self, rng: random.Random) -> Sampler:
        mean = rng.uniform(1005.0, 1020.0)
        weather, reading = Drift(sigma=4.0, tau_s=36_000.0).at, Drift(sigma=0.05, tau_s=5.0).at

        def sample(t: float) -> float:
            return round(mean + tide(t) + weather(t, rng) + reading(t, rng), 2)

        return sample
