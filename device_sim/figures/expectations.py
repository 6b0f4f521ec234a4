"""What a run was expected to show, and whether it did: the figures by name, the outcome of each bound, the exit status.

A scenario says `loss = 0` or `p99_delivered_ms = "< 250"` (`scenario/bound.py` reads the bounds). A figure that was not
measured does not meet anything. Names that no run can measure, and names that need a database or a dashboard that the
run does not have, are refused before it starts.

    loss, duplicates, phantom, altered        readings, from the audit; need --database-url and a ledger
    repeated                                  rows too many of readings that carry no time of their own
    p50_, p90_, p99_, p99_9_, max_, mean_     milliseconds of acknowledged_ms, delivered_ms, stored_ms, late_ms,
                                              loop_lag_ms
    messages, readings, acknowledged,         counts
    unacknowledged, delivered, dropped
    rate                                      messages sent a second, on average
    min_rate                                  messages acknowledged a second in the worst second but the first and last
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from device_sim.errors import BadArgumentError
from device_sim.figures.results import ACKNOWLEDGED, DELIVERED, KINDS, STORED, RunResult
from device_sim.scenario.declared import Bound
from device_sim.verify.judge import Verdict

AUDITED: Final = ("loss", "duplicates", "phantom", "altered", "repeated")
COUNTED: Final = ("messages", "readings", "acknowledged", "unacknowledged", "delivered", "dropped", "rate", "min_rate")
PERCENTILES: Final = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99_9": 99.9}
LATENCIES: Final = tuple(f"{prefix}_{kind}_ms" for kind in KINDS for prefix in (*PERCENTILES, "max", "mean"))
NAMES: Final = (*AUDITED, *COUNTED, *LATENCIES)


class ExitStatus(IntEnum):
    """How `run` and `chaos` end; 2, a wrong argument, stands for any SimulatorError."""

    MET = 0
    NOT_MET = 1
    INVALID = 3
    """The simulator was the bottleneck: the figures say nothing about the system."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One expectation and whether it was met."""

    name: str
    bound: Bound
    figure: float | None
    """None: not measured."""

    @property
    def met(self) -> bool:
        return self.figure is not None and self.bound.holds(self.figure)

    def __str__(self) -> str:
        figure = "not measured" if self.figure is None else f"{self.figure:,.12g}"
        return f"{self.name}: expected {self.bound}, was {figure}"


def refuse_unmeasurable(bounds: Mapping[str, Bound], *, database: bool, dashboards: bool) -> None:
    """Raise BadArgumentError for the first expectation that this run cannot measure."""
    for name in bounds:
        if name not in NAMES:
            raise BadArgumentError(f"expectations.{name}", f"no such figure; there are {', '.join(NAMES)}")
        if not database and (name in AUDITED or f"_{STORED}_" in name):
            raise BadArgumentError(f"expectations.{name}", "needs --database-url, and a ledger to compare with")
        if not dashboards and (name == DELIVERED or f"_{DELIVERED}_" in name):
            raise BadArgumentError(f"expectations.{name}", "needs a dashboard in the scenario")


def measure(result: RunResult, verdict: Verdict | None) -> dict[str, float | None]:
    """Return every figure an expectation may name."""
    figures: dict[str, float | None] = {
        "messages": result.messages,
        "readings": result.readings,
        "acknowledged": result.acknowledged,
        "unacknowledged": result.messages - result.acknowledged,
        "delivered": result.delivered,
        "dropped": sum(result.drops.values()),
        "rate": result.messages / result.seconds if result.seconds > 0 else 0.0,
        "min_rate": _slowest(result),
    }
    if verdict is not None:
        figures |= {
            "loss": verdict.lost,
            "duplicates": verdict.duplicates,
            "phantom": verdict.phantom,
            "altered": verdict.altered,
            "repeated": verdict.repeated,
        }
    for kind, histogram in result.latencies.items():
        if histogram.count:
            for prefix, percent in PERCENTILES.items():
                figures[f"{prefix}_{kind}_ms"] = histogram.percentile_s(percent) * 1e3
            figures[f"max_{kind}_ms"] = histogram.max_s * 1e3
            figures[f"mean_{kind}_ms"] = histogram.mean_s * 1e3
    return {name: figures.get(name) for name in NAMES}


def check(bounds: Mapping[str, Bound], result: RunResult, verdict: Verdict | None) -> tuple[Outcome, ...]:
    """Compare each bound with its figure."""
    figures = measure(result, verdict)
    return tuple(Outcome(name, bound, figures.get(name)) for name, bound in bounds.items())


def exit_status(outcomes: tuple[Outcome, ...], result: RunResult) -> ExitStatus:
    """Return how the program ends. What the audit found always holds; everything else needs a valid run."""
    unmet = {outcome.name for outcome in outcomes if not outcome.met}
    audited_only = bool(outcomes) and all(outcome.name in AUDITED for outcome in outcomes)
    if result.invalid and not audited_only and not unmet & set(AUDITED):
        return ExitStatus.INVALID
    return ExitStatus.NOT_MET if unmet else ExitStatus.MET


def _slowest(result: RunResult) -> float | None:
    timeline = result.timeline
    inner = timeline.slots[1:-1]
    return min((slot.counts.get(ACKNOWLEDGED, 0) / timeline.slot_s for slot in inner), default=None)
