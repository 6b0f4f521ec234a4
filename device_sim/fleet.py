"""The fleet's schedule: which device sends what, and when it is meant to.

Open loop: the time of sending comes from the schedule, never from an answer, so that a stall of the system shows as
lateness instead of as a pause of the load (reliability reference, 3.1). Same seed and start = the same messages, byte
by byte. Messages are made when they are taken: an outage of an hour costs no memory.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from device_sim.device import Device
from device_sim.errors import BadArgumentError
from device_sim.message import Message

DEFAULT_TOPIC = "devices/{device}/telemetry"
MOST_MESSAGES_PER_DEVICE_S = 1_000  # one a millisecond: times are sent in ms and must be distinct


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
            needed = -(-int(self.rate) // MOST_MESSAGES_PER_DEVICE_S)
            raise BadArgumentError(
                "--rate",
                f"{self.rate:g} messages a second from {self.devices} device(s) is more than one a millisecond each, "
                f"and their times would repeat; use --devices {needed} or more",
            )
        check_topic(self.topic)

    @property
    def period_s(self) -> float:
        """Seconds between two messages of one device."""
        return self.devices / self.rate

    def schedule(self, start_us: int, duration_s: float | None = None) -> Iterator[Message]:
        """Yield the messages in the order of their intended times, from `start_us` (epoch) for `duration_s` or for ever."""
        rng = random.Random(f"{self.seed}/schedule")
        devices = [Device(number, self.seed, self.topic) for number in range(self.devices)]
        # All periods are equal, so the order within one period is the order within all.
        phases = sorted((rng.uniform(0.0, self.period_s), device.number) for device in devices)
        number = turn = 0
        while True:
            for phase_s, device_number in phases:
                due_s = turn * self.period_s + phase_s
                if duration_s is not None and due_s >= duration_s:
                    return
                yield devices[device_number].message(number, start_us + round(due_s * 1_000_000), due_s)
                number += 1
            turn += 1


def check_topic(template: str) -> None:
    """Refuse what cannot be published to, or what gives all devices one topic."""
    if "{device}" not in template:
        raise BadArgumentError("--topic", f"{template!r} must contain {{device}}, the place of the device's name")
    if {"+", "#", "\0"} & set(template):
        raise BadArgumentError("--topic", f"{template!r} is a filter; a topic to publish to has no + and no #")
