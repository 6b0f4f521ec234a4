"""Relative humidity: falls when the day warms."""

import random

from device_sim.sensors.daily import warmth
from device_sim.sensors.noise import Drift


class Humidity:
    """Percent relative humidity with one decimal, held within 5 and 100 as a real probe does."""

    unit = "%RH"
    __slots__ = ("_drift", "_mean", "_swing")

    def __init__(self, rng: random.Random) -> None:
        self._mean = rng.uniform(40.0, 60.0)
        self._swing = rng.uniform(6.0, 12.0)
        self._drift = Drift(sigma=1.5, tau_s=900.0)

    def sample(self, t: float, rng: random.Random) -> float:
        """Return the humidity at `t`, seconds since the epoch."""
        value = self._mean - self._swing * warmth(t) + self._drift.at(t, rng)
        return round(min(max(value, 5.0), 100.0), 1)
