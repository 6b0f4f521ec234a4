"""What all sensors declare. Each kind adds its parameters and knows how to make the sensors of a class's devices.

A gauge measures for many devices in one call, since a call for each value would cost more than all the rest of a message.
Rules: within one call no device is asked twice; the times of one device never go back; what a device measures depends on
its own random source and its own times alone, never on whom it is asked together with.
"""

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from device_sim.message import Value
from device_sim.payloads.format import Sort
from device_sim.scenario.declared import Declared

Rows: TypeAlias = NDArray[np.intp]
"""Which devices, by their place in the class; none twice."""
Numbers: TypeAlias = NDArray[np.float64]
Gauge: TypeAlias = Callable[[Rows, Numbers], Sequence[Sequence[Value]]]
"""From which devices measure, and when (seconds since the epoch), to their values: a column for each part of the sensor,
one where it has no parts."""
Curve: TypeAlias = Callable[[Rows, Numbers], Numbers]
"""The same for numbers that are not rounded yet."""
Sampler: TypeAlias = Callable[[float], Value]
"""A sensor of one device: from seconds since the epoch to its value."""
GroupSampler: TypeAlias = Callable[[float], tuple[Value, ...]]
"""The same for a sensor of several values, such as a position: one for each of its `parts`."""


class SensorSettings(Declared, ABC):
    """One `[classes.sensors.NAME]` table; NAME is the metric, or the beginning of it where there are parts."""

    parts: ClassVar[tuple[str, ...]] = ()
    """Names of the values of a sensor of several: its metrics are `NAME.part`."""

    unit: str = Field(default="", description="unit, sent by formats that carry one")

    @property
    def sort(self) -> Sort:
        """What its values are; formats with types declare it before the first value."""
        return "number"

    @abstractmethod
    def gauge(self, rngs: Sequence[random.Random]) -> Gauge:
        """Make the sensor of each device; each `rng` is a device's own and stays with it."""


class EachSensor(SensorSettings, ABC):
    """A sensor whose devices are asked one after the other: states, counters, recordings."""

    @abstractmethod
    def make(self, rng: random.Random) -> Sampler | GroupSampler:
        """Make the sensor of one device."""

    def gauge(self, rngs: Sequence[random.Random]) -> Gauge:
        samplers = [self.make(rng) for rng in rngs]

        def measure(rows: Rows, t: Numbers) -> Sequence[Sequence[Value]]:
            values = [samplers[row](when) for row, when in zip(rows.tolist(), t.tolist(), strict=True)]
            if self.parts:
                return list(zip(*cast("list[tuple[Value, ...]]", values), strict=True))
            return [cast("list[Value]", values)]

        return measure


def rounded(curve: Curve, digits: int) -> Gauge:
    """Round a curve to `digits` decimals."""
    ticks = 10.0**digits
    return lambda rows, t: [(np.floor(curve(rows, t) * ticks + 0.5) / ticks).tolist()]


def sort_of(value: Value) -> Sort:
    """Return which sort a value is."""
    return "truth" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"


def limits(low: float | None, high: float | None) -> tuple[float, float]:
    """Return both limits as numbers to compare with."""
    return -math.inf if low is None else low, math.inf if high is None else high
