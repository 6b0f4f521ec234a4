"""Air pressure: hours-long weather with the half-daily tide on top."""

import random

from device_sim.sensors.daily import tide
from device_sim.sensors.noise import Drift


class Pressure:
    """Hectopascal with two decimals, about 985 to 1035."""

    unit = "hPa"
    __slots__ = ("_mean", "_reading", "_weather")

    def __init__(self, rng: random.Random) -> None:
        self._mean = rng.uniform(1005.0, 1020.0)
        self._weather = Drift(sigma=4.0, tau_s=36_000.0)
        self._reading = Drift(sigma=0.05, tau_s=5.0)

    def sample(self, t: float, rng: random.Random) -> float:
        """Return the pressure at `t`, seconds since the epoch."""
        value = self._mean + tide(t) + self._weather.at(t, rng) + self._reading.at(t, rng)
        return round(value, 2)
