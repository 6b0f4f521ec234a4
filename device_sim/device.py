"""A simulated device: a name, sensors, a random source of its own and a clock that never repeats.

Not its schedule (`fleet`), not its connection (`links`).
"""

import random
from collections.abc import Callable

from device_sim.message import US_PER_MS, Message, Value, encode
from device_sim.sensors.humidity import Humidity
from device_sim.sensors.pressure import Pressure
from device_sim.sensors.temperature import Temperature

SENSORS: dict[str, Temperature | Humidity | Pressure] = {
    "temperature": Temperature(),
    "humidity": Humidity(),
    "pressure": Pressure(),
}
METRICS = tuple(SENSORS)


class Device:
    """Device number `number` of the fleet with seed `seed`; its values depend on nothing but these two and time."""

    __slots__ = ("_last_us", "_rng", "_sensors", "name", "number", "topic")

    def __init__(self, number: int, seed: int, topic_template: str) -> None:
        self.number = number
        self.name = f"sim-{number:05d}"
        self.topic = topic_template.replace("{device}", self.name)
        # A string seed goes through SHA-512, so neighbouring devices are not alike, on any platform.
        self._rng = random.Random(f"{seed}/{self.name}")
        self._sensors: list[tuple[str, Callable[[float], Value]]] = [
            (metric, settings.make(self._rng)) for metric, settings in SENSORS.items()
        ]
        self._last_us = 0

    def message(self, number: int, time_us: int, due_s: float) -> Message:
        """Sample every sensor at `time_us`, cut to milliseconds; later by 1 ms if that would repeat a time.

        Two readings of one series in one millisecond would share their key and one of them would disappear.
        """
        time_us = max(time_us - time_us % US_PER_MS, self._last_us + US_PER_MS)
        self._last_us = time_us
        t = time_us / 1_000_000
        values: dict[str, Value] = {metric: sample(t) for metric, sample in self._sensors}
        payload = encode(time_us, values)
        return Message(
            number, self.number, self.name, METRICS, time_us, due_s, self.topic, payload, tuple(values.values())
        )
