"""Time cut into windows, and the spans in which it passes evenly: what a schedule is made by, a window at a time.

Stages make time run faster or slower: devices' phases count in *beats' time*, which grows by `rate` a second.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from device_sim.scenario.model import Stage

BEATS_A_WINDOW: Final = 1_000.0
TURNS_A_WINDOW: Final = 10.0
"""Beats of one device at most: each turn is calls of numpy of its own, some 0.1 ms, and nothing is sent meanwhile."""
LONGEST_WINDOW_S: Final = 3_600.0


class Span(NamedTuple):
    """A stretch in which the beats' own time passes evenly."""

    begin_s: float
    end_s: float
    beats_begin_s: float
    rate: float

    def beats_s(self, t: float) -> float:
        """Return the beats' time at `t`."""
        return self.beats_begin_s + (t - self.begin_s) * self.rate


class Window(NamedTuple):
    """A part of a span that ends, and is to be made, before `end_s`."""

    span: Span
    end_s: float


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


def windows(beats_per_s: float, turn_s: float, stages: Sequence[Stage], duration_s: float) -> Iterator[Window]:
    """Yield one window after the other until `duration_s`, each of some BEATS_A_WINDOW beats.

    There are `beats_per_s` in all, and of one device one each `turn_s` at most.
    """
    for span in spans(stages, duration_s):
        width_s = LONGEST_WINDOW_S
        if beats_per_s and span.rate:
            width_s = min(width_s, BEATS_A_WINDOW / beats_per_s / span.rate, TURNS_A_WINDOW * turn_s / span.rate)
        count = 1
        end_s = span.begin_s
        while end_s < span.end_s:
            # Multiplied, not added up: hours of additions would drift.
            end_s = min(span.begin_s + count * width_s, span.end_s)
            yield Window(span, end_s)
            count += 1
