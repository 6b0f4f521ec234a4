"""The figures of one moment of a run, for the live view, for machines, and added up over processes."""

from typing import Any, NamedTuple, Self

from device_sim.figures.timeline import Timeline


class Snapshot(NamedTuple):
    """Rates are of the second before it; latencies, in seconds, of about that second."""

    at_s: float = 0.0
    devices: int = 0
    up: int = 0
    """Connections of devices that stand."""
    dashboards_up: int = 0
    messages: int = 0
    delivered: int = 0
    """Messages that dashboards were shown so far."""
    sent_per_s: float = 0.0
    acked_per_s: float = 0.0
    shown_per_s: float = 0.0
    in_flight: int = 0
    given_up: int = 0
    acked_p50_s: float = 0.0
    acked_p99_s: float = 0.0
    shown_p99_s: float = 0.0
    loop_lag_s: float = 0.0
    cpu_share: float = 0.0

    def as_json(self, faults: list[str]) -> dict[str, Any]:
        """Return plain values for a line of JSON."""
        fields = {name: round(value, 4) for name, value in self._asdict().items()}
        return {**fields, "faults": faults}

    @classmethod
    def together(cls, parts: list[Self]) -> Self:
        """Add up the processes of a run; of latencies and lag the worst counts."""
        worst = {"at_s", "acked_p50_s", "acked_p99_s", "shown_p99_s", "loop_lag_s", "cpu_share"}
        joined = {name: (max if name in worst else sum)(getattr(part, name) for part in parts) for name in cls._fields}
        return cls(**joined)


class Odometer:
    """Makes snapshots of a running process, with rates since the last one."""

    def __init__(self) -> None:
        self._at_s = 0.0
        self._before = (0, 0, 0)

    def read(self, at_s: float, totals: tuple[int, int, int]) -> tuple[float, float, float]:
        """Return what was sent, acknowledged and shown a second since the last call, of these totals."""
        passed_s = max(at_s - self._at_s, 1e-3)
        rates = tuple((now - before) / passed_s for now, before in zip(totals, self._before, strict=True))
        self._at_s, self._before = at_s, totals
        return rates[0], rates[1], rates[2]


def recent_s(timeline: Timeline, kind: str, percent: float) -> float:
    """Return a percentile of the last whole slot of the timeline, 0 for nothing.

    Not of the whole run: the library walks over all buckets of a fine histogram, for a tenth of a second of our own loop.
    """
    for slot in timeline.slots[-2:-1]:
        histogram = slot.latencies.get(kind)
        if histogram is not None:
            return histogram.percentile_s(percent)
    return 0.0
