"""Several processes that run a share each and begin at one moment; their results become one.

The parent only waits: for `ready` of all, then it says when to begin, a moment ahead; it adds up their snapshots each
second and merges their results. A child that dies ends the run. Signals stop all children in order: each finishes its
ledger and hands its result over. They stop as well when the parent dies, by whatever means.
"""

import asyncio
import contextlib
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from device_sim.errors import BadArgumentError, SimulatorError
from device_sim.figures.results import Recorder, RunResult, merge
from device_sim.figures.snapshot import Snapshot
from device_sim.ledger.writer import LedgerWriter
from device_sim.programs import end_at_once
from device_sim.run.identities import Targets
from device_sim.run.plan import RunPlan, Share
from device_sim.run.publisher import Tally
from device_sim.run.worker import Worker, WorkerOutcome, allow_files, ledger_of, now_us

AHEAD_US = 300_000
"""The common start lies so far ahead of the moment in which it is told."""
LOOK_S = 0.25
JOIN_S = 30.0
LINUX = sys.platform == "linux"


def run_processes(
    plan: RunPlan,
    targets: Targets | None,
    ledger: Path | None,
    processes: int,
    ready: Callable[[], None],
    tick: Callable[[Snapshot], None],
    database_url: str | None = None,
) -> WorkerOutcome:
    """Run a plan in `processes` processes; called without an event loop."""
    parent = _Parent(plan, targets, ledger, processes, database_url)
    previous = {number: signal.signal(number, parent.stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return parent.run(ready, tick)
    finally:
        parent.end()
        for number, handler in previous.items():
            signal.signal(number, handler)


class _Parent:
    def __init__(
        self, plan: RunPlan, targets: Targets | None, ledger: Path | None, processes: int, database_url: str | None
    ) -> None:
        # A fork shares what is loaded already: twelve children weigh little more than one.
        context = multiprocessing.get_context("fork") if LINUX else multiprocessing.get_context("spawn")
        self._children: list[Any] = []
        self._pipes: list[Connection] = []
        self._stopping = False
        for part in range(processes):
            ours, theirs = context.Pipe()
            self._pipes.append(ours)
            inherited = tuple(self._pipes) if LINUX else ()
            child = context.Process(
                target=_child, args=(plan, targets, ledger, (part, processes), theirs, inherited, database_url)
            )
            child.start()
            theirs.close()
            self._children.append(child)

    def stop(self, *_: object) -> None:
        """End all children in order, at the second signal at once; a signal handler."""
        if self._stopping:
            for child in self._children:
                child.kill()
            end_at_once(0, None)
        self._stopping = True
        for child in self._children:
            if child.is_alive():
                child.terminate()  # SIGTERM, which a child takes for "stop"

    def run(self, ready: Callable[[], None], tick: Callable[[Snapshot], None]) -> WorkerOutcome:
        waiting = set(self._pipes)
        unready, last = set(self._pipes), dict.fromkeys(self._pipes, Snapshot())
        outcomes: list[WorkerOutcome] = []
        ticked = 0.0
        while waiting:
            for pipe in wait(list(waiting), LOOK_S):
                assert isinstance(pipe, Connection)  # noqa: S101 - that is what it waited for
                try:
                    kind, value = pipe.recv()
                except (EOFError, ConnectionResetError):
                    if self._stopping:  # told to stop before it could say anything
                        waiting.discard(pipe)
                        continue
                    raise SimulatorError("a process of the run ended unexpectedly; its reason is above") from None
                if kind == "ready":
                    unready.discard(pipe)
                    if not unready:
                        self._begin()
                        ticked = time.monotonic()  # there is nothing to tell before their first second
                        ready()
                elif kind == "tick":
                    last[pipe] = value
                elif kind == "failed":
                    raise value
                else:
                    outcomes.append(_unpack(value))
                    waiting.discard(pipe)
            if not unready and waiting and time.monotonic() - ticked >= 1.0:
                ticked = time.monotonic()
                tick(Snapshot.together(list(last.values())))
        return _joined(outcomes) if outcomes else WorkerOutcome(Recorder("", 0, 0).finish(0.0), Tally())

    def end(self) -> None:
        """Wait for the children, by force in the end."""
        for child in self._children:
            child.join(JOIN_S if self._stopping or not child.is_alive() else 1.0)
            if child.is_alive():
                child.terminate()
                child.join(JOIN_S)
            if child.is_alive():
                child.kill()
                child.join()
        for pipe in self._pipes:
            pipe.close()

    def _begin(self) -> None:
        for pipe in self._pipes:
            pipe.send(now_us() + AHEAD_US)


def _joined(outcomes: list[WorkerOutcome]) -> WorkerOutcome:
    tally = Tally()
    for outcome in outcomes:
        tally.messages += outcome.tally.messages
        tally.published += outcome.tally.published
        tally.acknowledged += outcome.tally.acknowledged
        tally.seconds = max(tally.seconds, outcome.tally.seconds)
        tally.late_s = max(tally.late_s, outcome.tally.late_s)
        tally.own_late += outcome.tally.own_late
    return WorkerOutcome(merge([outcome.result for outcome in outcomes]), tally)


def _unpack(value: tuple[dict[str, Any], Tally]) -> WorkerOutcome:
    result, tally = value
    return WorkerOutcome(RunResult.from_json(result), tally)


def _child(
    plan: RunPlan,
    targets: Targets | None,
    ledger: Path | None,
    share: Share,
    pipe: Connection,
    inherited: Sequence[Connection],
    database_url: str | None,
) -> None:
    for end in inherited:  # the parent's ends: were they open here as well, nobody would see that it is gone
        end.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the parent too, which says when to stop
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        outcome = asyncio.run(_run_child(plan, targets, ledger, share, pipe, database_url))
        _tell(pipe, "result", (outcome.result.as_json(), outcome.tally))
    except SimulatorError as error:
        _tell(pipe, "failed", error)


def _tell(pipe: Connection, kind: str, value: object) -> None:
    with contextlib.suppress(BrokenPipeError):  # the parent is gone, and `hear` has ended the run
        pipe.send((kind, value))


async def _run_child(
    plan: RunPlan,
    targets: Targets | None,
    ledger: Path | None,
    share: Share,
    pipe: Connection,
    database_url: str | None,
) -> WorkerOutcome:
    allow_files(plan, share)
    loop = asyncio.get_running_loop()
    told: asyncio.Future[int | None] = loop.create_future()
    with LedgerWriter(ledger_of(ledger, share)) as writer:
        worker = Worker(plan, targets, share, writer, database_url)

        def stop() -> None:
            worker.stop()
            if not told.done():
                told.set_result(None)

        def hear() -> None:
            try:
                start_us = pipe.recv()
            except (EOFError, ConnectionResetError):
                loop.remove_reader(pipe.fileno())
                stop()
                return
            if not told.done():
                told.set_result(start_us)

        async def when() -> int | None:
            return await told

        loop.add_signal_handler(signal.SIGTERM, stop)
        loop.add_reader(pipe.fileno(), hear)
        return await worker.run(lambda: _tell(pipe, "ready", None), when, lambda shot: _tell(pipe, "tick", shot))


def check_processes(processes: int) -> int:
    """Refuse a number that cannot be; BadArgumentError names the option."""
    if not 1 <= processes <= 64:
        raise BadArgumentError("--processes", f"{processes} is not a number of processes from 1 to 64")
    return processes
