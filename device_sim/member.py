"""A device in a running schedule: its sensors, its clock, its encoder and its faults. It knows no other device.

All that is random in it comes from sources seeded with its id: it behaves the same in whatever process and beside
whomever it runs. A fault has a source of its own, and what is not sent is measured all the same, so that a fault changes
nothing but what it is for. (A burst measures more often: from then on the values differ.)
"""

import random
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, cast

from device_sim.clock import Clock
from device_sim.connection_times import Change
from device_sim.faults.registry import AnyFault
from device_sim.faults.settings import (
    ClockFault,
    SampleFaultSettings,
    SamplingFault,
    Sent,
    StreamFault,
    ValueChange,
    ValueFault,
)
from device_sim.message import Value
from device_sim.payloads.format import Device, Encoded, Measured
from device_sim.payloads.registry import FORMATS
from device_sim.roster import Entry
from device_sim.scenario.model import DeviceClass
from device_sim.sensors.settings import GroupSampler, Sampler

FUTURE_S: Final = 300.0
"""A hub refuses times further ahead than this (its setting, by default): such readings must not be stored."""


class KeyedFault(NamedTuple):
    """A fault with what tells it from the others: its place in the scenario."""

    key: str
    fault: AnyFault


class _Strikes(NamedTuple):
    """A fault of single messages or values, as one device has it."""

    fault: SampleFaultSettings
    rng: random.Random

    def since(self, t: float) -> float | None:
        """Return how long it has acted if it strikes now, else None."""
        since = self.fault.since(t)
        if since is None or (self.fault.probability < 1.0 and self.rng.random() >= self.fault.probability):
            return None
        return since


class _LyingMetric(NamedTuple):
    place: int
    strikes: _Strikes
    change: ValueChange


def measured(device_class: DeviceClass) -> tuple[Measured, ...]:
    """Return the metrics of a class: one a sensor, or one a part of it."""
    return tuple(
        Measured(name, sensor.unit, sensor.sort)
        for base, sensor in device_class.sensors.items()
        for name in ([f"{base}.{part}" for part in sensor.parts] if sensor.parts else [base])
    )


class Member:
    """One device. `births`, `encoded` and `sent` are asked in the order of time; the schedule numbers what they return."""

    __slots__ = (
        "_carries_values",
        "_clock",
        "_easy",
        "_encode",
        "_groups",
        "_lying",
        "_sampling",
        "_singles",
        "_start_s",
        "_stream",
        "_time_at",
        "backfill",
        "changes",
        "count",
        "device",
        "encoder",
        "number",
        "part",
        "period_s",
        "plain",
        "up",
    )

    def __init__(self, entry: Entry, seed: int, faults: Sequence[KeyedFault]) -> None:
        device_class = entry.device_class
        form = FORMATS[device_class.format]
        metrics = measured(device_class)
        # A text as seed goes through SHA-512, so neighbouring devices are not alike, on any platform.
        name = f"{seed}/{entry.id}"
        rng = random.Random(name)
        stored_as = device_class.stored_as
        described = Device(
            entry.id,
            (device_class.topic or form.topic).replace("{device}", entry.id),
            None if stored_as is None else stored_as.replace("{device}", entry.id),
            metrics,
            device_class.qos,
        )
        self.encoder = form.make(described, lambda: random.Random(f"{name}/payload"))
        self._encode = self.encoder.encode
        self._carries_values = form.births_carry_values
        self._start_s = 0.0
        self._clock = Clock(form.step_us, [fault for _, fault in faults if isinstance(fault, ClockFault)])
        self._time_at = self._clock.at
        samplers = [(sensor.make(rng), bool(sensor.parts)) for sensor in device_class.sensors.values()]
        grouped = any(group for _, group in samplers)
        self._groups = samplers if grouped else []
        self._singles = [] if grouped else [cast("Sampler", sampler) for sampler, _ in samplers]
        self._lying = [
            _LyingMetric(place, _Strikes(fault, own), fault.make(own))
            for key, fault in faults
            if isinstance(fault, ValueFault)
            for place, metric in enumerate(metrics)
            if fault.metrics is None or metric.name in fault.metrics
            for own in (random.Random(f"{name}/{key}/{metric.name}"),)
        ]
        self._sampling = [
            (fault.samples, _Strikes(fault, random.Random(f"{name}/{key}")))
            for key, fault in faults
            if isinstance(fault, SamplingFault)
        ]
        self._stream = [
            (fault, _Strikes(fault, random.Random(f"{name}/{key}")))
            for key, fault in faults
            if isinstance(fault, StreamFault)
        ]
        self._easy = bool(self._singles) and not self._lying
        self.number = entry.number
        self.device = self.encoder.device
        self.backfill = device_class.backfill
        self.period_s = 1.0 / device_class.rate
        self.plain = not (self._lying or self._sampling or self._stream or self._clock.wrong)
        self.changes: Iterator[Change] = iter(())
        self.count = 0
        self.up = False
        self.part = False

    def start(self, start_us: int) -> None:
        """Say when the schedule begins (epoch), before anything else is asked."""
        self._start_s = start_us / 1e6
        self._clock.start(start_us)

    def births(self, t: float) -> Sequence[Encoded]:
        """Return what it publishes when it has connected, `t` seconds after the start."""
        if self._carries_values:
            values = self.values(t)
            return self._believable(self.encoder.births(self._time_at(t), values))
        return self.encoder.births(round((self._start_s + t) * 1e3) * 1_000, ())

    def values(self, t: float) -> Sequence[Value | None]:
        """Measure."""
        now = self._start_s + t
        if self._singles:
            values: list[Value | None] = [sample(now) for sample in self._singles]
        else:
            values = []
            for sampler, group in self._groups:
                if group:
                    values += cast("GroupSampler", sampler)(now)
                else:
                    values.append(cast("Sampler", sampler)(now))
        for place, strikes, change in self._lying:
            since = strikes.since(t)
            if since is not None:
                values[place] = change(t, since, values[place])
        return values

    def encoded(self, t: float) -> Sequence[Encoded]:
        """Return what a device without faults sends."""
        now = self._start_s + t
        values = [sample(now) for sample in self._singles] if self._easy else self.values(t)
        return self._encode(self._time_at(t), values)

    def samples(self, t: float) -> int:
        """Return how many messages it makes instead of one: 1 but for a drop-out or a burst."""
        for instead, strikes in self._sampling:
            if strikes.since(t) is not None:
                return instead
        return 1

    def sent(self, t: float) -> list[Sent]:
        """Return what it sends and when, none before `t`."""
        messages = self._believable(self.encoded(t))
        sent: list[Sent] = [(t, message) for message in messages]
        for fault, strikes in self._stream:
            if strikes.since(t) is not None:
                sent = [after for due_s, message in sent for after in fault.send(due_s, message, strikes.rng)]
        return sent

    def _believable(self, messages: Sequence[Encoded]) -> Sequence[Encoded]:
        """Say that nothing may be stored of messages from the future."""
        if self._clock.ahead_s <= FUTURE_S:
            return messages
        return [message._replace(metrics=(), values=()) if message.timed else message for message in messages]
