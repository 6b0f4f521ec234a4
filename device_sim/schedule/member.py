"""A device in a running schedule: its clock, its encoder and its faults. It knows no other device.

All that is random in it comes from sources seeded with its id: it behaves the same in whatever process and beside
whomever it runs. A fault has a source of its own, and what is not sent is measured all the same (by `class_members`),
so that a fault changes nothing but what it is for. (A burst measures more often: from then on the values differ.)
"""

import random
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

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
from device_sim.scenario.model import DeviceClass
from device_sim.schedule.clock import DeviceClock
from device_sim.schedule.connection_times import Change
from device_sim.schedule.roster import Entry

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
    """One device. `ClassMembers` tells it what it measures; it is asked in the order of time."""

    __slots__ = (
        "_births_carry_values",
        "_bursts",
        "_clock",
        "_latest",
        "_lying",
        "_silences",
        "_start_s",
        "_stream",
        "backfill",
        "changes",
        "count",
        "device",
        "encode",
        "encoder",
        "id",
        "names",
        "number",
        "part",
        "plain",
        "qos",
        "topic",
        "up",
    )

    def __init__(self, entry: Entry, seed: int, faults: Sequence[KeyedFault]) -> None:
        device_class = entry.device_class
        form = FORMATS[device_class.format]
        metrics = measured(device_class)
        # A text as seed goes through SHA-512, so neighbouring devices are not alike, on any platform.
        name = f"{seed}/{entry.id}"
        stored_as = device_class.stored_as
        described = Device(
            entry.id,
            (device_class.topic or form.topic).replace("{device}", entry.id),
            None if stored_as is None else stored_as.replace("{device}", entry.id),
            metrics,
            device_class.qos,
        )
        clock_faults = [fault for _, fault in faults if isinstance(fault, ClockFault)]
        sampling = [
            (fault, random.Random(f"{name}/{key}")) for key, fault in faults if isinstance(fault, SamplingFault)
        ]
        self._lying = [
            _LyingMetric(place, _Strikes(fault, own), fault.make(own))
            for key, fault in faults
            if isinstance(fault, ValueFault)
            for place, metric in enumerate(metrics)
            if fault.metrics is None or metric.name in fault.metrics
            for own in (random.Random(f"{name}/{key}/{metric.name}"),)
        ]
        self._silences = [_Strikes(fault, rng) for fault, rng in sampling if not fault.samples]
        self._bursts = [(fault.samples, _Strikes(fault, rng)) for fault, rng in sampling if fault.samples]
        self._stream = [
            (fault, _Strikes(fault, random.Random(f"{name}/{key}")))
            for key, fault in faults
            if isinstance(fault, StreamFault)
        ]
        births = self._births_carry_values = form.births_carry_values
        self._clock = DeviceClock(form.step_us, clock_faults, births=births) if clock_faults or births else None
        self._latest: Sequence[Value | None] = ()
        self._start_s = 0.0
        self.id = entry.id
        self.number = entry.number
        self.encoder = form.make(described, lambda: random.Random(f"{name}/payload"))
        self.encode = self.encoder.encode
        self.device = self.encoder.device
        self.topic, self.names, self.qos = described.topic, described.names, described.qos
        self.backfill = device_class.backfill
        self.plain = not (self._lying or self._silences or self._stream or self._clock)
        """Whether what it measures is what it sends, and nothing need be remembered."""
        self.changes: Iterator[Change] = iter(())
        self.count = 0
        self.up = False
        self.part = False

    @property
    def most_samples(self) -> int:
        """How often it measures instead of once in its worst burst."""
        return max((instead for instead, _ in self._bursts), default=1)

    def start(self, start_us: int) -> None:
        """Set when the schedule begins (epoch), before anything else is asked."""
        self._start_s = start_us / 1e6
        if self._clock is not None:
            self._clock.start(start_us)

    def births(self, t: float) -> Sequence[Encoded]:
        """Return what it publishes when it has connected, `t` seconds after the start."""
        if self._births_carry_values and self._clock is not None:
            return self._believable(self.encoder.births(self._clock.at(t, birth=True), self._latest))
        return self.encoder.births(round((self._start_s + t) * 1e3) * 1_000, ())

    def samples(self, t: float) -> int:
        """Return how often it measures instead of once, because of a burst."""
        for instead, strikes in self._bursts:
            if strikes.since(t) is not None:
                return instead
        return 1

    def reported(self, t: float, values: Sequence[Value]) -> Sequence[Value | None]:
        """Return what it makes of its sensors' values; the next births carry them."""
        reported: list[Value | None] = [*values]
        for place, strikes, change in self._lying:
            since = strikes.since(t)
            if since is not None:
                reported[place] = change(t, since, reported[place])
        self._latest = reported
        return reported

    def sent(self, t: float, time_us: int, values: Sequence[Value]) -> list[Sent]:
        """Return what it sends of a measurement and when, none before `t`; `time_us` is what a right clock says."""
        reported = self.reported(t, values)
        if any(silence.since(t) is not None for silence in self._silences):
            return []
        if self._clock is not None and self._clock.wrong:
            time_us = self._clock.at(t)
        sent: list[Sent] = [(t, message) for message in self._believable(self.encode(time_us, reported))]
        for fault, strikes in self._stream:
            if strikes.since(t) is not None:
                sent = [after for due_s, message in sent for after in fault.send(due_s, message, strikes.rng)]
        return sent

    def _believable(self, messages: Sequence[Encoded]) -> Sequence[Encoded]:
        """Mark messages from the future: nothing of them may be stored."""
        if self._clock is None or self._clock.ahead_s <= FUTURE_S:
            return messages
        return [message._replace(metrics=(), values=()) if message.timed else message for message in messages]
