"""A sine with noise: a test signal whose every property is known."""

import math
import random
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from device_sim.sensors.curves import normals
from device_sim.sensors.settings import Gauge, Numbers, Rows, SensorSettings, rounded


class Sine(SensorSettings):
    """`mean + amplitude * sin(2 pi t / period_s + phase)` plus white noise."""

    kind: Literal["sine"]
    mean: float = Field(default=0.0, description="middle value")
    amplitude: float = Field(default=1.0, ge=0.0, description="from the middle to the top")
    period_s: float = Field(gt=0.0, description="seconds of one turn")
    phase: float | None = Field(default=None, description="radians at the epoch; without it each device has its own")
    noise: float = Field(default=0.0, ge=0.0, description="standard deviation of the white noise")
    spread: float = Field(default=0.0, ge=0.0, description="standard deviation of the devices' own means")
    digits: int = Field(default=2, ge=0, le=9, description="decimals")

    def gauge(self, rngs: Sequence[random.Random]) -> Gauge:
        mean = np.array([rng.gauss(self.mean, self.spread) for rng in rngs])
        phase = np.array([rng.uniform(0.0, math.tau) if self.phase is None else self.phase for rng in rngs])
        turn, draw = math.tau / self.period_s, normals(rngs)

        def curve(rows: Rows, t: Numbers) -> Numbers:
            value: Numbers = mean[rows] + self.amplitude * np.sin(turn * t + phase[rows]) + self.noise * draw(rows)
            return value

        return rounded(curve, self.digits)
