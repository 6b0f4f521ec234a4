"""A sine with noise: a test signal whose every property is known."""

import math
import random
from typing import Literal

from pydantic import Field

from device_sim.sensors.normal import BITS, NORMALS
from device_sim.sensors.settings import Sampler, SensorSettings


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

    def make(self, rng: random.Random) -> Sampler:
        mean = rng.gauss(self.mean, self.spread)
        phase = rng.uniform(0.0, math.tau) if self.phase is None else self.phase
        turn, amplitude, noise, ticks = math.tau / self.period_s, self.amplitude, self.noise, 10.0**self.digits
        sin, bits, normals = math.sin, rng.getrandbits, NORMALS

        def sample(t: float) -> float:
            value = mean + amplitude * sin(turn * t + phase) + noise * normals[bits(BITS)]
            return (value * ticks + 0.5) // 1.0 / ticks

        return sample
