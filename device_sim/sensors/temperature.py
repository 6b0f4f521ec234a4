"""Air temperature near a machine: warm afternoons, cool nights, minutes-long wandering."""

import random
from collections.abc import Sequence
from typing import Literal

import numpy as np

from device_sim.sensors.curves import wander, warmth
from device_sim.sensors.settings import Gauge, SensorSettings, rounded


class Temperature(SensorSettings):
    """Degrees Celsius with two decimals, about 12 to 30; each device has its own place, so its own mean."""

    kind: Literal["temperature"] = "temperature"
    unit: str = "Cel"

    def gauge(self, rngs: Sequence[random.Random]) -> Gauge:
        mean = np.array([rng.uniform(18.0, 24.0) for rng in rngs])
        swing = np.array([rng.uniform(2.0, 4.0) for rng in rngs])
        drift = wander(0.4, 600.0, rngs)
        return rounded(lambda rows, t: mean[rows] + swing[rows] * warmth(t) + drift(rows, t), 2)
