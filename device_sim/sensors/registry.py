"""The sensors a simulated device has: metric name -> class, one line each."""

import random
from collections.abc import Callable, Mapping
from typing import Protocol

from device_sim.sensors.humidity import Humidity
from device_sim.sensors.pressure import Pressure
from device_sim.sensors.temperature import Temperature


class Sensor(Protocol):
    """One measured quantity of one device; holds the device's own constants and the noise's memory."""

    unit: str
    """UCUM or SenML unit, for the docs and for decoders that carry units."""

    def sample(self, t: float, rng: random.Random) -> float:
        """Return the value at `t`, seconds since the epoch; `t` never goes back."""
        ...


SENSORS: Mapping[str, Callable[[random.Random], Sensor]] = {
    "temperature": Temperature,
    "humidity": Humidity,
    "pressure": Pressure,
}
