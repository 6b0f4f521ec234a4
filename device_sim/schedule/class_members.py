"""The devices of one class: who is to measure next, and what all of them measure, a window of time at once.

A heap over thousands of devices, and a call for each value, would cost more than making their messages. But the devices
of one class beat with one period, so their order within one period is their order within all: a ring of phases, walked
round. And they have the same sensors, so what they measure are columns that numpy computes. A device's values depend on
nobody else's, and are measured whether or not it is connected: faults and shares of processes change none of them.

Bursts measure more often: their measurements are beats as well, known with the beat that they follow.
"""

import heapq
import random
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np

from device_sim.message import Value
from device_sim.payloads.registry import FORMATS
from device_sim.scenario.model import DeviceClass
from device_sim.schedule.clock import RightClocks, step_us
from device_sim.schedule.member import Member, measured
from device_sim.schedule.windows import Window
from device_sim.sensors.settings import Numbers, Rows

Beat: TypeAlias = tuple[float, int, int, tuple[Value, ...], bytes | None]
"""When it is due, the device's number, what its clock says if it is right, what it measures, and its message's payload
where the format writes many at once."""


class ClassMembers:
    """`members` in the order of their `phases`, which are seconds within the class's period."""

    def __init__(
        self, device_class: DeviceClass, seed: int, members: Sequence[Member], phases: Sequence[float]
    ) -> None:
        form = FORMATS[device_class.format]
        self.rate = len(members) * device_class.rate
        self._members = members
        self._numbers = np.array([member.number for member in members])
        self._phases = np.array(phases)
        self._period_s = 1.0 / device_class.rate
        self._next = 0  # beats so far
        self._bursting = any(member.most_samples > 1 for member in members)
        self.turn_s = self._period_s / max((member.most_samples for member in members), default=1)
        """Between two beats of one device at least."""
        self._extra: list[tuple[float, int]] = []
        # A text as seed goes through SHA-512, so neighbouring devices are not alike, on any platform.
        rngs = [random.Random(f"{seed}/{member.id}") for member in members]
        self._gauges = [sensor.gauge(rngs) for sensor in device_class.sensors.values()]
        self._clocks = RightClocks(step_us(form.step_us, int(form.births_carry_values)), len(members))
        self._births_carry_values = form.births_carry_values
        self._write = None if form.columns is None else form.columns(measured(device_class))
        self._start_s = 0.0

    def start(self, start_us: int) -> None:
        """Set when the schedule begins (epoch), before the first `take`."""
        self._start_s = start_us / 1e6
        self._clocks.start(start_us)
        for member in self._members:
            member.start(start_us)
        if self._births_carry_values:
            everyone = np.arange(len(self._members))
            columns = self._measured(everyone, np.zeros(len(everyone)))
            for member, values in zip(self._members, zip(*columns, strict=True), strict=True):
                member.reported(0.0, values)

    def take(self, window: Window) -> Iterator[Beat]:
        """Yield the beats of a window; each device's are in order."""
        due_s, rows = self._beats(window)
        if self._bursting:
            due_s, rows = self._with_bursts(due_s, rows, window.end_s)
        if not len(rows):
            return
        once = len(rows) <= len(self._members) and not self._bursting
        for turn in [slice(None)] if once else _turns(rows):
            due, who = due_s[turn], rows[turn]
            times_us, columns = self._clocks.at(who, due), self._measured(who, due)
            numbers, rows_of_values = self._numbers[who].tolist(), zip(*columns, strict=True)
            payloads = [None] * len(due) if self._write is None else self._write(times_us, columns)
            yield from zip(due.tolist(), numbers, times_us, rows_of_values, payloads, strict=True)

    def _measured(self, rows: Rows, due_s: Numbers) -> list[Sequence[Value]]:
        t = self._start_s + due_s
        return [column for gauge in self._gauges for column in gauge(rows, t)]

    def _beats(self, window: Window) -> tuple[Numbers, Rows]:
        """Walk round the ring until the window ends."""
        (begin_s, _, beats_begin_s, rate), end_s = window
        count, period_s = len(self._phases), self._period_s
        turns = int(window.span.beats_s(end_s) // period_s)
        upto = turns * count + int(np.searchsorted(self._phases, window.span.beats_s(end_s) - turns * period_s))
        beats = np.arange(self._next, max(upto, self._next))
        turn, rows = np.divmod(beats, max(count, 1))
        due_s = begin_s + (turn * period_s + self._phases[rows] - beats_begin_s) / (rate or 1.0)
        late = int(np.count_nonzero(due_s >= end_s))  # by the last bit of a float: they are the next window's
        self._next += len(beats) - late
        return due_s[: len(beats) - late], rows[: len(beats) - late]

    def _with_bursts(self, due_s: Numbers, rows: Rows, end_s: float) -> tuple[Numbers, Rows]:
        for due, row in zip(due_s.tolist(), rows.tolist(), strict=True):
            instead = self._members[row].samples(due)
            for extra in range(1, instead):
                heapq.heappush(self._extra, (due + extra * self._period_s / instead, row))
        more: list[tuple[float, int]] = []
        while self._extra and self._extra[0][0] < end_s:
            more.append(heapq.heappop(self._extra))
        due_s = np.concatenate((due_s, [due for due, _ in more]))
        rows = np.concatenate((rows, np.array([row for _, row in more], np.intp)))
        order = np.argsort(due_s, kind="stable")
        return due_s[order], rows[order]


def _turns(rows: Rows) -> Sequence[Rows]:
    """Split beats so that no device stands twice in one part, and each device's stay in order."""
    order = np.argsort(rows, kind="stable")
    first = np.flatnonzero(np.diff(rows[order], prepend=-1))  # where each device's beats begin
    nth = np.arange(len(rows)) - np.repeat(first, np.diff(first, append=len(rows)))
    return [order[nth == turn] for turn in range(int(nth.max()) + 1)]
