"""What happened when: counts and latencies of a run by second, for the charts of the report.

Bounded: at most SLOTS slots. When a run outgrows them, neighbours are merged and a slot becomes twice as long, so that a
run of any length costs a few megabytes. Latencies of a slot are kept to 1 significant digit of an HDR histogram (6 %),
enough for a line on a chart; the figures of the verdict come from the histograms of the whole run.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Self

from device_sim.figures.histogram import Histogram

SLOTS: Final = 600
DIGITS: Final = 1


class Slot:
    """One stretch of time."""

    __slots__ = ("counts", "gauges", "latencies")

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.gauges: dict[str, int] = {}
        self.latencies: dict[str, Histogram] = {}

    def take(self, other: Self, *, same_time: bool) -> None:
        """Add another slot: of the same time in another process, where gauges add up, or the following one."""
        for name, count in other.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        for name, level in other.gauges.items():
            before = self.gauges.get(name, 0)
            self.gauges[name] = before + level if same_time else max(before, level)
        for name, histogram in other.latencies.items():
            self.latencies.setdefault(name, Histogram(DIGITS)).add(histogram)


class Timeline:
    """Slots of `slot_s` seconds from the run's start on; times before it count as 0."""

    def __init__(self, slot_s: float = 1.0) -> None:
        self.slot_s = slot_s
        self.slots: list[Slot] = []

    def count(self, at_s: float, name: str, number: int) -> None:
        """`number` more of `name` (messages sent, acknowledged, …) happened at `at_s`."""
        counts = self._slot(at_s).counts
        counts[name] = counts.get(name, 0) + number

    def level(self, at_s: float, name: str, level: int) -> None:
        """`name` (connections up, …) stood at `level` at `at_s`; a slot keeps the last one."""
        self._slot(at_s).gauges[name] = level

    def latencies(self, at_s: float, name: str, seconds: Iterable[float]) -> None:
        """These latencies of `name` ended at `at_s`."""
        slot = self._slot(at_s)
        histogram = slot.latencies.get(name)
        if histogram is None:
            histogram = slot.latencies[name] = Histogram(DIGITS)
        histogram.record(seconds)

    def add(self, other: Self) -> None:
        """Add the timeline of another process of the same run."""
        while other.slot_s < self.slot_s:
            other.coarsen()
        while self.slot_s < other.slot_s:
            self.coarsen()
        for number, slot in enumerate(other.slots):
            self._slot(number * self.slot_s).take(slot, same_time=True)

    def coarsen(self) -> None:
        """Merge neighbours: half as many slots, each twice as long."""
        merged = self.slots[::2]
        for slot, following in zip(merged, self.slots[1::2], strict=False):
            slot.take(following, same_time=False)
        self.slots = merged
        self.slot_s *= 2

    def as_json(self) -> dict[str, Any]:
        """Return what `from_json` takes, and what a report shows."""
        return {
            "slot_s": self.slot_s,
            "slots": [
                {
                    "counts": slot.counts,
                    "gauges": slot.gauges,
                    "latencies": {name: _figures(histogram) for name, histogram in slot.latencies.items()},
                }
                for slot in self.slots
            ],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        timeline = cls(float(data["slot_s"]))
        for item in data["slots"]:
            slot = Slot()
            slot.counts = dict(item["counts"])
            slot.gauges = dict(item["gauges"])
            slot.latencies = {name: Histogram.decode(of["hdr"], DIGITS) for name, of in item["latencies"].items()}
            timeline.slots.append(slot)
        return timeline

    def _slot(self, at_s: float) -> Slot:
        number = int(max(at_s, 0.0) / self.slot_s)
        while number >= SLOTS:
            self.coarsen()
            number = int(max(at_s, 0.0) / self.slot_s)
        while len(self.slots) <= number:
            self.slots.append(Slot())
        return self.slots[number]


def _figures(histogram: Histogram) -> dict[str, float | int | str]:
    return {
        "count": histogram.count,
        "p50_ms": round(histogram.percentile_s(50.0) * 1e3, 3),
        "p99_ms": round(histogram.percentile_s(99.0) * 1e3, 3),
        "hdr": histogram.encode(),
    }
