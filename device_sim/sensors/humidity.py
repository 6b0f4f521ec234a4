"""Relative humidity: falls when the day warms."""

import random
from collections.abc import Sequence
from typing import Literal

import numpy as np

from device_sim.sensors.curves import wander, warmth
from device_sim.sensors.settings import Gauge, Numbers, Rows, SensorSettings, rounded


class Humidity(SensorSettings):
    """Percent relative humidity with one decimal, held within 5 and 100 as a real probe does."""

    kind: Literal["humidity"] = "humidity"
    unit: str = "%RH"

    def gauge(self, rngs: Sequence[random.Random]) -> Gauge:
        mean = np.array([rng.uniform(40.0, 60.0) for rng in rngs])
        swing = np.array([rng.uniform(6.0, 12.0) for rng in rngs])
        drift = wander(1.5, 900.0, rngs)

        def curve(rows: Rows, t: Numbers) -> Numbers:
            return np.clip(mean[rows] - swing[rows] * warmth(t) + drift(rows, t), 5.0, 100.0)

        return rounded(curve, 1)
