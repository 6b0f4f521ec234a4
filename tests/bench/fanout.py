"""The hub against the naive hub under stompload: the table of the specification, "Speed".

Baseline and hub alternate, several rounds; which of the two begins alternates too. Both serve on the server's core, with
uvloop; the load has the other one. In a closed loop the server's core should be busy: where it is not, the load
was the limit, and the row says so, as its ratio is then too small and only the CPU ratio tells.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.bench import device_bench
from tests.bench.figure import Goal, Row, median_ratio, number
from tests.bench.rounds import BUSY, Rounds
from tests.bench.servers import Servers
from tests.bench.stompload import Load, Stompload

IDLE_CONNECTIONS = (1_000, 4_000)


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of load, and what is asked of the hub under it."""

    name: str
    arguments: Sequence[str]
    goal: Goal
    measure: str = "delivered"  # a rate of Load


WORKS = (
    Work("1 publisher, 100 subscribers", ("-subs", "100"), Goal(90, at_least=True)),
    Work("1 publisher, 500 subscribers", ("-subs", "500"), Goal(80, at_least=True)),
    Work("1 publisher, 1 subscriber", ("-subs", "1"), Goal(5, at_least=True)),
    Work(
        "SEND with a receipt each, 10 publishers",
        ("-subs", "0", "-pubs", "10", "-receipt"),
        Goal(5, at_least=True),
        "receipts",
    ),
    Work(
        "100 topics, one subscriber each, 10 publishers",
        ("-subs", "100", "-topics", "100", "-pubs", "10"),
        Goal(4, at_least=True),
    ),
    Work("30 subscribers at 300 messages/s", ("-subs", "30", "-rate", "300"), Goal(0.99, at_least=True)),
)
PACED = "500 subscribers, 50 messages/s"
"""A load of `device-sim bench fanout`."""


def row(work: Work, taken: Rounds) -> Row:
    """Summarise one row."""
    cpu = [[_cpu(work, one) for one in loads] for loads in (taken.baseline, taken.hub)]
    cpu_ratio = median_ratio(cpu[0], cpu[1])
    busy = statistics.median(one.server_busy for one in taken.hub)
    notes = ""
    rates = [[float(getattr(one, work.measure)) for one in loads] for loads in (taken.baseline, taken.hub)]
    baseline, ours = (f"{number(statistics.median(side))}/s" for side in rates)
    value = median_ratio(rates[1], rates[0])
    if busy < BUSY:
        limited = f"the load was the limit, the hub's core was busy for {busy:.0%}"
        notes = f"{limited}; by CPU it is {number(cpu_ratio)} times."
    limit = [_cpu(work, one) for one in taken.limit]
    medians = " → ".join(number(statistics.median(side)) for side in cpu)
    told = f"{medians} ({number(cpu_ratio)} times)"
    return Row(work.name, baseline, ours, value, work.goal, told, notes, of_limit(cpu[1], limit))


def of_limit(hub: Sequence[float], limit: Sequence[float]) -> str:
    """Return the price of the hub's semantics: its CPU over the limit's."""
    return f"{median_ratio(hub, limit):.2f} times" if limit else ""


def paced(servers: Servers, rounds: int, seconds: float) -> tuple[Row, list[dict[str, Any]]]:
    """Measure what a delivery costs where there is little to batch."""
    measured: list[dict[str, Any]] = []
    with servers.naive() as baseline, servers.hub() as hub:
        urls = [f"ws://127.0.0.1:{server.port}/ws" for server in (baseline, hub)]
        for _ in range(rounds):
            measured += device_bench.fanout(urls, seconds, PACED)
    cpu = [[float(row["server_cpu_us"] or 0) for row in measured[side::2]] for side in (0, 1)]
    baseline_told, ours_told = (f"{number(statistics.median(side))} µs" for side in cpu)
    invalid = sorted({reason for row in measured for reason in row["invalid"]})
    row = Row(
        f"{PACED}: CPU a delivery",
        baseline_told,
        ours_told,
        median_ratio(cpu[1], cpu[0]),
        Goal(0.35, at_least=False),
        notes="; ".join(invalid),
    )
    return row, measured


def idle(servers: Servers, load: Stompload, rounds: int, seconds: float) -> tuple[list[Row], dict[str, list[float]]]:
    """Measure the memory of idle connections as a user meets them: the first ones of a fresh server, each round."""
    taken: dict[str, list[float]] = {}
    rows = []
    for count in IDLE_CONNECTIONS:
        baseline, ours = (taken.setdefault(f"{side}_kib_{count}", []) for side in ("baseline", "hub"))
        for _ in range(rounds):
            with servers.naive() as server:
                baseline.append(load.idle_kib(server.port, server.pid, count, seconds))
            with servers.hub() as server:
                ours.append(load.idle_kib(server.port, server.pid, count, seconds))
        value = statistics.median(ours)
        told = (f"{statistics.median(baseline):.1f} KiB", f"{value:.1f} KiB")
        rows.append(Row(f"{count:,} idle connections: memory each", *told, value, Goal(14, at_least=False, unit="KiB")))
    return rows, taken


def _cpu(work: Work, load: Load) -> float:
    return load.cpu_us_per_publish if work.measure == "receipts" else load.cpu_us_per_delivery
