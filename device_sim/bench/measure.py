"""Runs one load against one server, in this process; what came of it is a row.

The server's CPU time and memory are read when all is connected and again each second, together with what was sent and
delivered until then: the last look is what counts, so that neither start nor end does, nor what came after the look.
"""

import asyncio
import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, NamedTuple

from device_sim.bench.loads import Load
from device_sim.bench.target import Usage, find_server, usage
from device_sim.figures.results import ACKNOWLEDGED, DELIVERED, RunResult
from device_sim.figures.snapshot import Snapshot
from device_sim.ledger.writer import LedgerWriter
from device_sim.run.identities import Targets
from device_sim.run.plan import ScenarioPlan
from device_sim.run.worker import Worker, WorkerOutcome, allow_files, now_us

REACH_S: Final = 20.0
"""How long connecting may take: somebody waits for the table."""
MOST_PROBLEMS: Final = 3
"""Different sentences about lost connections that a row repeats: the log has all."""


class Look(NamedTuple):
    """What the server had used, and what had been done with it by then."""

    used: Usage
    at_s: float
    messages: int
    delivered: int


@dataclass(frozen=True, slots=True)
class BenchRow:
    """What a load was to do, what was done, and what it cost the server; None: not measured."""

    load: str
    server: str
    per: str
    seconds: float
    messages: int
    acknowledged: int
    delivered: int
    due: int
    """Deliveries that there should be: each message to each dashboard."""
    acknowledged_p50_ms: float | None
    acknowledged_p99_ms: float | None
    delivered_p50_ms: float | None
    delivered_p99_ms: float | None
    server_cpu_us: float | None
    """A delivery, a message, or a connection and second, as `per` says."""
    server_busy: float | None
    """CPU seconds a second."""
    server_kib: float | None
    """Resident memory that was added by each connection; of `connection` loads."""
    invalid: tuple[str, ...] = field(default=())
    """Why the figures mean nothing: the simulator was the bottleneck, or the server refused, or did not do, its part."""

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def measure(load: Load, server: str, targets: Targets, stopped: Callable[[Callable[[], None]], None]) -> BenchRow:
    """Run the load; `stopped` gets the function that ends it early."""
    plan = ScenarioPlan(load.scenario, load.scenario.seed, targets)
    pid = find_server(targets.hub)
    before_all = None if pid is None else usage(pid)
    looks: list[Look] = []

    def look(shot: Snapshot) -> None:
        if pid is not None and (used := usage(pid)) is not None:
            looks[1:] = [Look(used, shot.at_s, shot.messages, shot.delivered)]

    async def run() -> WorkerOutcome:
        allow_files(plan, (0, 1))
        with LedgerWriter(None) as ledger:
            worker = Worker(plan, targets, (0, 1), ledger)
            stopped(worker.stop)
            patience = asyncio.get_running_loop().call_later(REACH_S, worker.stop)

            async def begin() -> int:
                patience.cancel()
                look(Snapshot())
                return now_us()

            return await worker.run(lambda: None, begin, look)

    try:
        outcome = asyncio.run(run())
    finally:
        gc.unfreeze()  # the worker froze its thousands of objects: in the next load they would never be looked at again
    result = outcome.result
    reasons = [f"{problem} ({times:,} times)" for problem, times in outcome.problems[:MOST_PROBLEMS]]
    if not result.started_us:
        reasons.append(f"{server}: not all connections stood within {REACH_S:g} s")
    return make_row(load, server, replace(result, invalid=(*result.invalid, *reasons)), before_all, looks)


def make_row(load: Load, server: str, result: RunResult, before_all: Usage | None, looks: Sequence[Look]) -> BenchRow:
    """Make the row of a load from the first and the last look at its server; without two the cost is unknown."""
    watchers = sum(dashboard.count for dashboard in load.scenario.dashboards)
    raw = load.per == "delivery"
    # Dashboards that watch readings are delivered readings; others, messages.
    due = watchers * (result.messages if raw else result.readings) if load.per != "connection" else 0
    cpu_us = busy = kib = None
    if len(looks) > 1:
        first, last = looks[0], looks[-1]
        done = {"delivery": last.delivered, "message": last.messages, "connection": watchers * last.at_s}[load.per]
        if done:
            cpu_us = (last.used.cpu_s - first.used.cpu_s) * 1e6 / done
        busy = (last.used.cpu_s - first.used.cpu_s) / max(last.at_s - first.at_s, 1e-3)
        if load.per == "connection" and before_all is not None:
            kib = (first.used.rss_bytes - before_all.rss_bytes) / 1024 / max(watchers, 1)
    return BenchRow(
        load.name,
        server,
        load.per,
        round(result.seconds, 3),
        result.messages,
        result.acknowledged,
        result.delivered,
        due,
        _ms(result, ACKNOWLEDGED, 50),
        _ms(result, ACKNOWLEDGED, 99),
        _ms(result, DELIVERED, 50),
        _ms(result, DELIVERED, 99),
        None if cpu_us is None else round(cpu_us, 2),
        None if busy is None else round(busy, 3),
        None if kib is None else round(kib, 1),
        (*result.invalid, *_undone(server, result, due)),
    )


def _undone(server: str, result: RunResult, due: int) -> Iterator[str]:
    """Return the work that the server did none of: such a row means nothing, however little it cost."""
    if result.messages and not result.acknowledged:
        yield f"{server} acknowledged none of {result.messages:,} messages"
    if due and not result.delivered:
        yield f"{server} delivered none of {due:,} messages that were due"


def _ms(result: RunResult, kind: str, percent: float) -> float | None:
    histogram = result.latencies.get(kind)
    if histogram is None or not histogram.count:
        return None
    return round(histogram.percentile_s(percent) * 1e3, 3)
