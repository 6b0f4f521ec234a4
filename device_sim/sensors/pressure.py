"""Air pressure: hours-long weather with the half-daily tide on top."""

import random
from collections.abc import Sequence
from typing import Literal

import numpy as np

from device_sim.sensors.curves import tide, wander
from device_sim.sensors.settings import Gauge, SensorSettings, rounded


class Pressure(SensorSettings):
    """Hectopascal with two decimals, about 985 to 1035."""

    kind: Literal["pressure"] = "pressure"
    unit: str = "hPa"

    def gauge(self, rngs: Sequence[random.Random]) -> Gauge:
        mean = np.array([rng.uniform(1005.0, 1020.0) for rng in rngs])
        weather, reading = wander(4.0, 36_000.0, rngs), wander(0.05, 5.0, rngs)
        return rounded(lambda rows, t: mean[rows] + tide(t) + weather(rows, t) + reading(rows, t), 2)
