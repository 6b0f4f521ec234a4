"""One measured row: what was asked for, what came out, and whether the goal was met."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on a figure."""

    bound: float
    at_least: bool
    unit: str = "times"

    def met(self, value: float) -> bool:
        """Whether a value keeps the bound."""
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {number(self.bound)} {self.unit}"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a report's table. `value` is what the goal bounds, a median over the rounds; `notes` go below."""

    work: str
    baseline: str
    ours: str
    value: float
    goal: Goal | None
    cpu: str = ""
    notes: str = ""
    of_limit: str = ""

    @property
    def verdict(self) -> str:
        """Return whether the goal was met."""
        if self.goal is None:
            return ""
        return "yes" if self.goal.met(self.value) else "**no**"


def median_ratio(ours: Sequence[float], baseline: Sequence[float]) -> float:
    """Return the median of the rounds' ratios: each pair was measured in the same minute, rounds were not."""
    ratios = [one / other for one, other in zip(ours, baseline, strict=True) if other > 0]
    return statistics.median(ratios) if ratios else 0.0


def percentile(values: Sequence[float], share: float) -> float:
    """Return a percentile by nearest rank; 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def number(value: float) -> str:
    """Write a number with three figures or so."""
    if abs(value) >= 1_000_000:
        return f"{value / 1e6:.2f} M"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
