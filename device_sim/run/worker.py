"""One process of a run: publisher, dashboards and measurements, from the first connection to the RunResult.

Order: links and early dashboards, `ready`, the common start, the schedule, outstanding acknowledgements, what dashboards
are still owed, good-byes. `stop` may come at any moment; what was measured until then is the result.
"""

import asyncio
import contextlib
import gc
import resource
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from device_sim.errors import BadArgumentError
from device_sim.figures.intended import Intended
from device_sim.figures.results import ACKNOWLEDGED, DELIVERED, Recorder, RunResult
from device_sim.figures.snapshot import Odometer, Snapshot, recent_s
from device_sim.ledger.writer import LedgerWriter
from device_sim.run.dashboards import Dashboards
from device_sim.run.identities import Targets, dashboard_identities
from device_sim.run.own_lag import OwnLag
from device_sim.run.plan import RunPlan, Share
from device_sim.run.publisher import Publisher, Tally

if TYPE_CHECKING:  # it brings SQLAlchemy and asyncpg, which a run without a database does not need
    from device_sim.figures.stored import StoredSampler

SPARE_FILES = 100
"""Descriptors for everything that is not a connection."""
LAST_SHOWN_S = 1.0
"""How long dashboards may be shown what was acknowledged last."""
TICK_S = 1.0
COLLECT_EVERY = 50_000
"""New objects, net of those that went, between two looks for cycles."""
READINGS = "/topic/readings/"


@dataclass(frozen=True, slots=True)
class WorkerOutcome:
    """What a process hands back."""

    result: RunResult
    tally: Tally
    problems: tuple[tuple[str, int], ...] = ()
    """What connections met, with how often; of several processes nobody asks."""


class Worker:
    """Use: `run` once; `stop` from anywhere on the loop."""

    def __init__(
        self,
        plan: RunPlan,
        targets: Targets | None,
        share: Share,
        ledger: LedgerWriter,
        database_url: str | None = None,
    ) -> None:
        self._plan = plan
        self._share = share
        self._schedule = plan.prepare(share)
        self._recorder = Recorder(plan.name, plan.seed, 0)
        watched = bool(plan.dashboards)
        raw = any(not to.startswith(READINGS) for dashboard in plan.dashboards for to in dashboard.destinations)
        intended = Intended(by_topic=raw)
        self._sampler = None if database_url is None else _sampler(database_url, self._recorder, share)
        self._publisher = Publisher(
            lambda events: plan.link(events, share),
            ledger,
            self._recorder,
            intended if watched else None,
            self._sampler,
            self._schedule,
        )
        self._dashboards = Dashboards(self._recorder, self._publisher, intended)
        if targets is not None:
            for dashboard, identity, appetite in dashboard_identities(plan.dashboards, targets, share):
                self._dashboards.add(identity, appetite, dashboard.at)
        self._lag = OwnLag(self._recorder, self._publisher)
        self._odometer = Odometer()
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """End the run in order."""
        self._stopped.set()
        self._publisher.stop()

    async def run(
        self, ready: Callable[[], None], begin: Callable[[], Awaitable[int | None]], tick: Callable[[Snapshot], None]
    ) -> WorkerOutcome:
        """Run it. `ready` is called when all stands; `begin` returns the start (epoch, us), or None to go home; `tick`
        gets the figures each second.
        """
        try:
            if await self._start():
                ready()
                start_us = await begin()
                if start_us is not None and not self._stopped.is_set():
                    await self._publish(start_us, tick)
        finally:
            await self._publisher.close()
            await self._dashboards.close()
            if self._sampler is not None:
                await self._sampler.close()
        return self._finish()

    async def _start(self) -> bool:
        if not await self._publisher.start():
            return False
        dashboards = asyncio.create_task(self._dashboards.start())
        stopped = asyncio.create_task(self._stopped.wait())
        await asyncio.wait({dashboards, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not dashboards.done():
            dashboards.cancel()
            await asyncio.gather(dashboards, return_exceptions=True)
            return False
        dashboards.result()
        return True

    async def _publish(self, start_us: int, tick: Callable[[Snapshot], None]) -> None:
        self._recorder.started_us = start_us
        # What was made so far stays: no collection has to walk over thousands of connections again. And what comes are
        # messages, which hold no cycles: looking for some every 700 of them costs a sixth of the CPU.
        gc.collect()
        gc.freeze()
        gc.set_threshold(COLLECT_EVERY)
        self._dashboards.begin()
        schedule = self._schedule.events(start_us)
        publishing = asyncio.create_task(self._publisher.publish(schedule, start_us, self._plan.duration_s))
        measuring = [asyncio.create_task(self._lag.run()), asyncio.create_task(self._tick(tick))]
        if self._sampler is not None:
            measuring.append(asyncio.create_task(self._sampler.run()))
        try:
            await asyncio.wait({publishing, *measuring}, return_when=asyncio.FIRST_COMPLETED)
            for task in measuring:
                if task.done():
                    task.result()
            await publishing
            if self._dashboards.up and not self._stopped.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopped.wait(), LAST_SHOWN_S)
            if self._sampler is not None and not self._stopped.is_set():
                await self._sampler.settle()
        finally:
            for task in (publishing, *measuring):
                task.cancel()
            await asyncio.gather(publishing, *measuring, return_exceptions=True)

    async def _tick(self, tick: Callable[[Snapshot], None]) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._dashboards.check()
            counts = self._publisher.link.counts
            self._recorder.connected(self._publisher.now_s, counts.up)
            tick(self._snapshot())

    def _snapshot(self) -> Snapshot:
        recorder, counts, at_s = self._recorder, self._publisher.link.counts, self._publisher.now_s
        rates = self._odometer.read(at_s, (recorder.messages, recorder.acknowledged, recorder.delivered))
        return Snapshot(
            at_s,
            len(range(self._share[0], self._plan.devices, self._share[1])),
            counts.up,
            self._dashboards.up,
            recorder.messages,
            recorder.delivered,
            *rates,
            in_flight=counts.outstanding,
            given_up=sum(counts.given_up.values()),
            acked_p50_s=recent_s(recorder.timeline, ACKNOWLEDGED, 50.0),
            acked_p99_s=recent_s(recorder.timeline, ACKNOWLEDGED, 99.0),
            shown_p99_s=recent_s(recorder.timeline, DELIVERED, 99.0),
            loop_lag_s=self._lag.last_s,
            cpu_share=self._lag.cpu_share,
        )

    def _finish(self) -> WorkerOutcome:
        recorder, tally = self._recorder, self._publisher.tally
        for reason, messages in self._publisher.link.counts.given_up.items():
            recorder.dropped(reason, messages)
        self._lag.judge()
        part, parts = self._share
        if part == 0:
            recorder.marks += self._plan.marks
        recorder.notes[f"cpu of process {part + 1} of {parts}"] = f"{self._lag.cpu_share:.0%} of a core"
        problems = Counter(self._publisher.link.counts.problems)
        problems.update(self._dashboards.problems)
        return WorkerOutcome(recorder.finish(tally.seconds), tally, tuple(problems.most_common()))


def _sampler(database_url: str, recorder: Recorder, share: Share) -> "StoredSampler":
    from device_sim.figures.stored import PER_S, StoredSampler

    return StoredSampler(database_url, recorder, PER_S / share[1])


def allow_files(plan: RunPlan, share: Share) -> None:
    """Raise this process's limit of open files to what the share needs; BadArgumentError when the system forbids it."""
    dashboards = len(range(share[0], sum(dashboard.count for dashboard in plan.dashboards), share[1]))
    needed = plan.connections(share) + dashboards + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            raise BadArgumentError(
                "--processes",
                f"{needed - SPARE_FILES:,} connections need {needed:,} open files and the hard limit is {hard:,} "
                "(`ulimit -Hn`); raise it, or share the run out over more processes",
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def now_us() -> int:
    """Return the wall clock, cut to milliseconds: times are sent in ms."""
    return time.time_ns() // 1_000_000 * 1_000


def ledger_of(path: Path | None, share: Share) -> Path | None:
    """Return the ledger of a process: FILE, or FILE.0, FILE.1 … of several."""
    part, parts = share
    return path if path is None or parts == 1 else path.with_name(f"{path.name}.{part}")
