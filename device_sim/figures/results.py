"""What a run measured, from the runner that fills it to the expectations and reports that read it.

`Recorder` is filled on the runner's event loop, a burst at a time; `finish` freezes it into a `RunResult`. Results of
several processes of one run are merged (`merge`), and travel between processes as JSON (`as_json`, `from_json`).

All latencies count from the *intended* send time of the open-loop schedule, in seconds: a stall of the system shows as
latency, not as a pause of the load. `at_s` is seconds since the schedule's start, the clock of `Message.due_s`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, Self

from device_sim.figures.histogram import Histogram
from device_sim.figures.timeline import Timeline

ACKNOWLEDGED: Final = "acknowledged"
"""Intended send time to PUBACK or RECEIPT."""
DELIVERED: Final = "delivered"
"""Intended send time to a dashboard."""
STORED: Final = "stored"
"""Intended send time until the database shows the reading; sampled (`device_sim/figures/stored.py`)."""
LATE: Final = "late"
"""Intended to actual send time: the simulator's lateness and the system's back-pressure together."""
LOOP_LAG: Final = "loop_lag"
"""How late the simulator's own event loop ran what was due: the simulator's lateness alone."""
KINDS: Final = (ACKNOWLEDGED, DELIVERED, STORED, LATE, LOOP_LAG)
CONNECTIONS: Final = "connections"

MarkKind = Literal["stage", "fault", "kill"]


class Mark(NamedTuple):
    """Something that lasted from `begin_s` to `end_s`: a stage of the scenario, a fault, a kill and the recovery."""

    kind: MarkKind
    name: str
    begin_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class RunResult:
    """One run, or one process's share of it until merged."""

    scenario: str
    seed: int
    started_us: int
    """Wall time of the schedule's start, microseconds since the epoch."""
    seconds: float
    """From the schedule's start to the last acknowledgement, or the end of the wait for it."""
    messages: int
    """Messages sent; those sent again after a reconnect count once."""
    readings: int
    """Readings in them that are to be stored."""
    acknowledged: int
    """Messages that were acknowledged."""
    acknowledged_readings: int
    delivered: int
    """Messages that all dashboards together were shown."""
    drops: Mapping[str, int]
    """Messages that were not sent although the schedule had them, and deliveries that were skipped, by reason."""
    latencies: Mapping[str, Histogram]
    """By the names in KINDS; absent when nothing was measured."""
    timeline: Timeline
    marks: tuple[Mark, ...] = ()
    invalid: tuple[str, ...] = ()
    """Why the figures say more about the simulator than about the system under test; empty: the run is valid."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """Facts for the reader of the report: addresses (without passwords), versions, resolution of the sampler …"""

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values; the schema is in docs/reference/device-sim-report.md."""
        return {
            "scenario": self.scenario,
            "seed": self.seed,
            "started_us": self.started_us,
            "seconds": round(self.seconds, 3),
            "messages": self.messages,
            "readings": self.readings,
            "acknowledged": self.acknowledged,
            "acknowledged_readings": self.acknowledged_readings,
            "delivered": self.delivered,
            "drops": dict(self.drops),
            "latencies": {name: histogram.as_json() for name, histogram in self.latencies.items()},
            "marks": [mark._asdict() for mark in self.marks],
            "invalid": list(self.invalid),
            "notes": dict(self.notes),
            "timeline": self.timeline.as_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild a result from what `as_json` returned."""
        plain = {name: data[name] for name in _PLAIN}
        return cls(
            **plain,
            drops=dict(data["drops"]),
            latencies={name: Histogram.decode(of["hdr"]) for name, of in data["latencies"].items()},
            timeline=Timeline.from_json(data["timeline"]),
            marks=tuple(Mark(**mark) for mark in data["marks"]),
            invalid=tuple(data["invalid"]),
            notes=dict(data["notes"]),
        )


_SUMMED = ("messages", "readings", "acknowledged", "acknowledged_readings", "delivered")
_PLAIN = ("scenario", "seed", "started_us", "seconds", *_SUMMED)


class Recorder:
    """Records one process's run. All calls come from one event loop and none of them waits."""

    def __init__(self, scenario: str, seed: int, started_us: int) -> None:
        self.scenario = scenario
        self.seed = seed
        self.started_us = started_us
        self.messages = self.readings = self.acknowledged = self.acknowledged_readings = self.delivered = 0
        self.drops: dict[str, int] = {}
        self.latencies: dict[str, Histogram] = {}
        self.timeline = Timeline()
        self.marks: list[Mark] = []
        self.invalid: list[str] = []
        self.notes: dict[str, str] = {}

    def sent(self, at_s: float, late_s: Sequence[float], readings: int) -> None:
        """Record messages sent now, with each one's lateness; they hold `readings` that are to be stored."""
        self.messages += len(late_s)
        self.readings += readings
        self.timeline.count(at_s, "sent", len(late_s))
        self._histogram(LATE).record(late_s)

    def acked(self, at_s: float, latencies_s: Sequence[float], readings: int) -> None:
        """Record acknowledgements, with the time since each message was meant to be sent, and their readings."""
        self.acknowledged += len(latencies_s)
        self.acknowledged_readings += readings
        self._measured(at_s, ACKNOWLEDGED, latencies_s)

    def shown(self, at_s: float, messages: int, latencies_s: Sequence[float]) -> None:
        """Record messages shown to dashboards; latencies are of those whose intended time is known."""
        self.delivered += messages
        self._measured(at_s, DELIVERED, latencies_s)
        self.timeline.count(at_s, DELIVERED, messages - len(latencies_s))

    def seen_stored(self, at_s: float, latencies_s: Sequence[float]) -> None:
        """Record readings that the sampler found in the database."""
        self._measured(at_s, STORED, latencies_s)

    def lagged(self, at_s: float, lag_s: float) -> None:
        """Record how late the simulator's event loop ran something."""
        self._histogram(LOOP_LAG).record((lag_s,))
        self.timeline.latencies(at_s, LOOP_LAG, (lag_s,))

    def connected(self, at_s: float, connections: int) -> None:
        """Record how many devices are connected now."""
        self.timeline.level(at_s, CONNECTIONS, connections)

    def dropped(self, reason: str, messages: int) -> None:
        """Count messages that were not sent, or not shown, for `reason`."""
        self.drops[reason] = self.drops.get(reason, 0) + messages

    def mark(self, kind: MarkKind, name: str, begin_s: float, end_s: float) -> None:
        self.marks.append(Mark(kind, name, begin_s, end_s))

    def invalidate(self, reason: str) -> None:
        """Note that the simulator was the bottleneck; each reason is kept once."""
        if reason not in self.invalid:
            self.invalid.append(reason)

    def finish(self, seconds: float) -> RunResult:
        """Freeze what was recorded."""
        return RunResult(
            scenario=self.scenario,
            seed=self.seed,
            started_us=self.started_us,
            seconds=seconds,
            messages=self.messages,
            readings=self.readings,
            acknowledged=self.acknowledged,
            acknowledged_readings=self.acknowledged_readings,
            delivered=self.delivered,
            drops=self.drops,
            latencies=self.latencies,
            timeline=self.timeline,
            marks=tuple(self.marks),
            invalid=tuple(self.invalid),
            notes=self.notes,
        )

    def _measured(self, at_s: float, name: str, latencies_s: Sequence[float]) -> None:
        if latencies_s:
            self._histogram(name).record(latencies_s)
            self.timeline.latencies(at_s, name, latencies_s)
            self.timeline.count(at_s, name, len(latencies_s))

    def _histogram(self, name: str) -> Histogram:
        histogram = self.latencies.get(name)
        if histogram is None:
            histogram = self.latencies[name] = Histogram()
        return histogram


def merge(results: Iterable[RunResult]) -> RunResult:
    """Merge the shares of all processes of a run into one result, which takes over their histograms."""
    first, *others = results
    sums = {name: getattr(first, name) for name in _SUMMED}
    drops, latencies, notes = dict(first.drops), dict(first.latencies), dict(first.notes)
    marks, invalid = dict.fromkeys(first.marks), dict.fromkeys(first.invalid)
    for other in others:
        for name in _SUMMED:
            sums[name] += getattr(other, name)
        for reason, number in other.drops.items():
            drops[reason] = drops.get(reason, 0) + number
        for name, histogram in other.latencies.items():
            latencies.setdefault(name, Histogram()).add(histogram)
        first.timeline.add(other.timeline)
        marks.update(dict.fromkeys(other.marks))
        invalid.update(dict.fromkeys(other.invalid))
        notes.update(other.notes)
    return RunResult(
        scenario=first.scenario,
        seed=first.seed,
        started_us=min(result.started_us for result in (first, *others)),
        seconds=max(result.seconds for result in (first, *others)),
        **sums,
        drops=drops,
        latencies=latencies,
        timeline=first.timeline,
        marks=tuple(marks),
        invalid=tuple(invalid),
        notes=notes,
    )
