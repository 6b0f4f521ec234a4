"""What all sensors declare. Each kind adds its parameters and knows how to make the sensor of one device."""

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, TypeAlias

from pydantic import Field

from device_sim.declared import Declared
from device_sim.message import Value
from device_sim.payloads.format import Sort

Sampler: TypeAlias = Callable[[float], Value]
"""A sensor of one device: from seconds since the epoch, which never go back, to its value."""
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
    def make(self, rng: random.Random) -> "Sampler | GroupSampler":
        """Make the sensor of one device; `rng` is the device's own and stays with it."""


def sort_of(value: Value) -> Sort:
    """Say what a value is."""
    return "truth" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"


def limits(low: float | None, high: float | None) -> tuple[float, float]:
    """Return numbers to compare with."""
    return -math.inf if low is None else low, math.inf if high is None else high
