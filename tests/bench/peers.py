"""The hub against a peer, each driven as fast as it goes: `stompload` in a closed loop, in turns, each server on one core.

The figure is the peer's CPU time for one piece of work over the hub's, which is what each does per core: it holds also in
a round in which the load, not the hub, was the limit, and when the machine has other work. The rates stand beside it.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.figure import Goal, Row, median_ratio, number
from tests.bench.rounds import BUSY, Rounds
from tests.bench.stompload import Load


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of load."""

    name: str
    arguments: Sequence[str]
    goal: Goal | None = None
    receipts: bool = False
    """Whether the work is a SEND with its receipt, not a delivery."""

    def rate(self, load: Load) -> float:
        return load.receipts if self.receipts else load.delivered

    def cpu_us(self, load: Load) -> float:
        return load.cpu_us_per_publish if self.receipts else load.cpu_us_per_delivery


WORKS = (
    Work("at full speed, 100 subscribers", ("-subs", "100"), Goal(100, at_least=True)),
    Work("at full speed, 500 subscribers", ("-subs", "500"), Goal(100, at_least=True)),
    Work(
        "at full speed, SEND with a receipt each, 10 publishers", ("-subs", "0", "-pubs", "10", "-receipt"), None, True
    ),
)


def row(work: Work, taken: Rounds) -> Row:
    """Summarise one row."""
    cpu = [[work.cpu_us(one) for one in loads] for loads in (taken.baseline, taken.hub)]
    rates = [[work.rate(one) for one in loads] for loads in (taken.baseline, taken.hub)]
    busy = [statistics.median(one.server_busy for one in loads) for loads in (taken.baseline, taken.hub)]
    told = [
        f"{number(statistics.median(rate))}/s, {number(statistics.median(cost))} µs, core busy {share:.0%}"
        for rate, cost, share in zip(rates, cpu, busy, strict=True)
    ]
    notes = f"by rate {number(median_ratio(rates[1], rates[0]))} times"
    if busy[1] < BUSY:
        notes += ", where the load was the limit of the hub"
    return Row(work.name, told[0], told[1], median_ratio(cpu[0], cpu[1]), work.goal, notes=notes)
