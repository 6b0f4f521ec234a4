"""Air temperature near a machine: warm afternoons, cool nights, minutes-long wandering."""

import random

from device_sim.sensors.daily import warmth
from device_sim.sensors.noise import Drift


class Temperature:
    """Degrees Celsius with two decimals, about 12 to 30; each device has its own place, so its own mean."""

    unit = "Cel"
    __slots__ = ("_drift", "_mean", "_swing")

    def __init__(self, rng: random.Random) -> None:
        self._mean = rng.uniform(18.0, 24.0)
        self._swing = rng.uniform(2.0, 4.0)
        self._drift = Drift(sigma=0.4, tau_s=600.0)

    def sample(self, t: float, rng: random.Random) -> float:
        """Return the temperature at `t`, seconds since the epoch."""
        return round(self._mean + self._swing * warmth(t) + self._drift.at(t, rng), 2)
