"""Who is to measure next: the devices' own beats, in the order of time, at a price of a fraction of a microsecond each.

A heap over thousands of devices would cost more than making their messages. But the devices of one class beat with one
period, so their order within one period is their order within all: a class is a sorted ring of phases, walked round.
Where there are several classes, their beats of a short window are put together and sorted (a merge of runs that are in
order already). Only the beats of one window are ever in memory.

Stages make time run faster or slower: phases count in *beats' time*, which grows by `rate` a second.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from device_sim.scenario.model import Stage

Beat = tuple[float, int]
"""Seconds after the start, number of the device."""

BEATS_A_WINDOW: Final = 1_000.0
LONGEST_WINDOW_S: Final = 3_600.0


class Span(NamedTuple):
    """A time in which beats' time passes evenly."""

    begin_s: float
    end_s: float
    beats_begin_s: float
    rate: float


def spans(stages: Sequence[Stage], duration_s: float) -> Iterator[Span]:
    """Yield the spans of a run; after the last stage the rate is 1 again."""
    begin_s = beats_s = 0.0
    for stage in stages:
        end_s = min(begin_s + stage.seconds, duration_s)
        yield Span(begin_s, end_s, beats_s, stage.rate)
        beats_s += (end_s - begin_s) * stage.rate
        begin_s = end_s
    if begin_s < duration_s:
        yield Span(begin_s, duration_s, beats_s, 1.0)


class Ring:
    """The devices of one class: (phase, number) in order, walked round once a period."""

    __slots__ = ("_numbers", "_period_s", "_phases", "_place", "_turn", "rate")

    def __init__(self, phases: Sequence[tuple[float, int]], period_s: float) -> None:
        self._phases = [phase for phase, _ in phases]
        self._numbers = [number for _, number in phases]
        self._period_s = period_s
        self._turn = self._place = 0
        self.rate = len(phases) / period_s

    def take(self, span: Span, end_s: float) -> list[Beat]:
        """Return the beats before `end_s`, all of `span`."""
        begin_s, _, beats_begin_s, rate = span
        phases, numbers, count = self._phases, self._numbers, len(self._phases)
        place, base = self._place, self._turn * self._period_s
        beats: list[Beat] = []
        while count:
            due_s = begin_s + (base + phases[place] - beats_begin_s) / rate
            if due_s >= end_s:
                break
            beats.append((due_s, numbers[place]))
            place += 1
            if place == count:
                place = 0
                self._turn += 1
                base = self._turn * self._period_s
        self._place = place
        return beats


def windows(rings: Sequence[Ring], stages: Sequence[Stage], duration_s: float) -> Iterator[list[Beat]]:
    """Yield the beats of one window after the other, each in order, until `duration_s`."""
    total = sum(ring.rate for ring in rings)
    for span in spans(stages, duration_s):
        if not span.rate or not total:
            continue
        width_s = min(BEATS_A_WINDOW / (total * span.rate), LONGEST_WINDOW_S)
        count = 1
        while True:
            # Counted, not added up: hours of additions would drift.
            end_s = min(span.begin_s + count * width_s, span.end_s)
            beats = [beat for ring in rings for beat in ring.take(span, end_s)]
            if len(rings) > 1:
                beats.sort()
            yield beats
            if end_s >= span.end_s or math.isinf(end_s):
                break
            count += 1
