"""Messages of a plain fleet, made without the simulator's schedule: what a link gets to carry in its tests."""

import time
from collections.abc import Iterator

from device_sim.message import Message

START_US = 1_795_190_400_000_000
METRICS = ("temperature", "humidity", "pressure")


def steady(devices: int, rate: float, seconds: float | None = None, *, qos: int = 1) -> Iterator[Message]:
    """`rate` messages a second of `devices` devices in turn, for `seconds` or for ever; three readings each."""
    number = 0
    while seconds is None or number / rate < seconds:
        source, due_s = number % devices, number / rate
        name, time_us = f"sim-{source:05d}", START_US + round(due_s * 1e6) // 1_000 * 1_000 + number // devices * 1_000
        values = (21.5 + source, 40.0, 1_000.0 + number)
        payload = b'{"ts":%d,"temperature":%.1f,"humidity":%.1f,"pressure":%.1f}' % (time_us // 1_000, *values)
        topic = f"devices/{name}/telemetry"
        yield Message(number, source, name, METRICS, time_us, due_s, topic, payload, values, qos=qos)
        number += 1


def burst(count: int, devices: int = 10, *, qos: int = 1) -> list[Message]:
    """The first `count` of them."""
    return list(steady(devices, 100.0, count / 100.0, qos=qos))[:count]


def now_us() -> int:
    """The wall clock, for a schedule that begins now."""
    return time.time_ns() // 1_000
