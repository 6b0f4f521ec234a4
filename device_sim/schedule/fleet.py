"""The simple fleet, for a load without a scenario file: so many devices, so many messages a second, weather for values.

It is a scenario like any other, made of three options, but its devices share a few connections instead of having one
each: what its schedule says of connections is left out, or done by nobody.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from device_sim.errors import BadArgumentError
from device_sim.message import Message
from device_sim.scenario.model import MOST_MESSAGES_PER_DEVICE_S, WITHOUT_END_S, DeviceClass, Scenario
from device_sim.schedule.schedule import Schedule
from device_sim.sensors.humidity import Humidity
from device_sim.sensors.pressure import Pressure
from device_sim.sensors.registry import AnySensor
from device_sim.sensors.temperature import Temperature

DEFAULT_TOPIC = "devices/{device}/telemetry"
SENSORS: Mapping[str, AnySensor] = {"temperature": Temperature(), "humidity": Humidity(), "pressure": Pressure()}


@dataclass(frozen=True, slots=True)
class Fleet:
    """`devices` devices that together send `rate` messages a second, each at its own fixed phase of the period."""

    devices: int
    rate: float
    seed: int = 0
    topic: str = DEFAULT_TOPIC

    def __post_init__(self) -> None:
        if self.devices < 1:
            raise BadArgumentError("--devices", f"{self.devices} devices send nothing; give 1 or more")
        if not 0 < self.rate < float("inf"):
            raise BadArgumentError("--rate", f"{self.rate:g} is not a number of messages a second above 0")
        if self.rate > self.devices * MOST_MESSAGES_PER_DEVICE_S:
            needed = -(-int(self.rate) // int(MOST_MESSAGES_PER_DEVICE_S))
            raise BadArgumentError(
                "--rate",
                f"{self.rate:g} messages a second from {self.devices} device(s) is more than one a millisecond each, "
                f"and their times would repeat; use --devices {needed} or more",
            )
        check_topic(self.topic)

    def scenario(self, duration_s: float | None = None) -> Scenario:
        """Return it as a scenario, for `duration_s` or for ever."""
        devices = DeviceClass(
            name="sim",
            count=self.devices,
            id="sim-{number:05}",
            topic=self.topic,
            # Its routes may be any: the option says which part of the topic is the device.
            stored_as="{device}",
            rate=self.rate / self.devices,
            sensors=SENSORS,
        )
        return Scenario(name="simple", duration=duration_s or WITHOUT_END_S, classes=(devices,))

    def schedule(
        self, start_us: int, duration_s: float | None = None, share: tuple[int, int] = (0, 1)
    ) -> Iterator[Message]:
        """Yield the messages in the order of their intended times, from `start_us` (epoch) for `duration_s` or for ever."""
        prepared = self.prepare(duration_s, share)
        return (event for event in prepared.events(start_us) if isinstance(event, Message))

    def prepare(self, duration_s: float | None, share: tuple[int, int]) -> Schedule:
        """Make the devices. Their LinkActions mean nothing to the few connections that they share."""
        return Schedule(self.scenario(duration_s), self.seed, share)


def check_topic(template: str) -> None:
    """Refuse what cannot be published to, or what gives all devices one topic."""
    if "{device}" not in template:
        raise BadArgumentError("--topic", f"{template!r} must contain {{device}}, the place of the device's name")
    if {"+", "#", "\0"} & set(template):
        raise BadArgumentError("--topic", f"{template!r} is a filter; a topic to publish to has no + and no #")
