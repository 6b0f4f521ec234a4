"""The command `device-sim run`, from checked options to the exit status.

stdout carries `ready …`, with --json a line a second, and at the end one JSON object; everything else goes to stderr. A
scenario's end has its report on stderr and in files, and an exit status that says whether the expectations were met; the
simple fleet expects nothing.
"""

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import orjson
from rich.console import Console

from device_sim.errors import BadArgumentError
from device_sim.figures.expectations import ExitStatus, refuse_unmeasurable
from device_sim.figures.results import Recorder
from device_sim.figures.snapshot import Snapshot
from device_sim.ledger.writer import LedgerWriter, check_ledger
from device_sim.programs import on_signal, prepare_logs, say, warn
from device_sim.reach import PATIENCE_S, find_peers
from device_sim.report.report import Report
from device_sim.report.terminal import show
from device_sim.report.write import check_paths, write_report
from device_sim.run.identities import Targets
from device_sim.run.live import live_view
from device_sim.run.plan import RunPlan, SimplePlan
from device_sim.run.processes import run_processes
from device_sim.run.publisher import Tally
from device_sim.run.worker import Worker, WorkerOutcome, allow_files, ledger_of, now_us
from device_sim.verify.judge import Verdict

SETTLE_S = 30.0
"""How long the database may take to hold what was acknowledged."""
SETTLE_LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How it is run, whatever it is."""

    processes: int = 1
    ledger: Path | None = None
    database_url: str | None = None
    reports: tuple[Path, ...] = ()
    quiet: bool = False
    json: bool = False


def run_simple(plan: SimplePlan, options: RunOptions) -> None:
    """Run the simple fleet."""
    if options.database_url is not None or options.reports:
        name = "--report" if options.reports else "--database-url"
        raise BadArgumentError(name, "belongs to a scenario; the ledger of a simple fleet is for `verify`")
    outcome = _run(plan, None, options, options.ledger)
    warn(outcome.tally, paced=plan.duration_s is not None)
    say(orjson.dumps(outcome.tally.as_json()).decode())


def run_scenario(plan: RunPlan, targets: Targets, options: RunOptions) -> int:
    """Run a scenario and judge it; return the exit status."""
    database = options.database_url
    check_paths(options.reports)
    refuse_unmeasurable(plan.bounds, database=database is not None, dashboards=bool(plan.dashboards))
    if database is not None:
        from device_sim.verify.database import check_database  # as in `_settled`

        asyncio.run(check_database(database))
    with ExitStack() as stack:
        ledger = options.ledger
        if ledger is None and database is not None:
            ledger = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="device-sim-"))) / "ledger"
        outcome = _run(plan, targets, options, ledger)
        warn(outcome.tally, paced=True)
        verdict = None
        if database is not None and ledger is not None:
            parts = [ledger_of(ledger, (part, options.processes)) or ledger for part in range(options.processes)]
            verdict = asyncio.run(_settled(parts, database))
    report = Report.of(plan.bounds, outcome.result, verdict)
    if not options.quiet:
        show(report, Console(stderr=True))
    for file in options.reports:
        write_report(report, file)
    status = report.status if plan.bounds or outcome.result.invalid else ExitStatus.MET
    summary = {**outcome.tally.as_json(), "delivered": outcome.result.delivered, "outcome": status.name.lower()}
    say(orjson.dumps(summary).decode())
    return int(status)


def _run(plan: RunPlan, targets: Targets | None, options: RunOptions, ledger: Path | None) -> WorkerOutcome:
    prepare_logs()
    check_ledger(ledger_of(ledger, (0, options.processes)))
    patience_s = None if plan.duration_s is None else PATIENCE_S
    if not asyncio.run(find_peers(plan.peers, patience_s)):
        return WorkerOutcome(Recorder(plan.name, plan.seed, now_us()).finish(0.0), Tally())
    with live_view(plan.name, plan.marks, quiet=options.quiet, json=options.json, say=say) as tick:
        if options.processes == 1:
            return asyncio.run(_run_here(plan, targets, ledger, options.database_url, tick))
        return run_processes(
            plan,
            targets,
            ledger,
            options.processes,
            lambda: say(f"ready {plan.address}"),
            tick,
            options.database_url,
        )


async def _run_here(
    plan: RunPlan,
    targets: Targets | None,
    ledger: Path | None,
    database_url: str | None,
    tick: Callable[[Snapshot], None],
) -> WorkerOutcome:
    share = (0, 1)
    allow_files(plan, share)
    with LedgerWriter(ledger) as writer:
        worker = Worker(plan, targets, share, writer, database_url)
        on_signal(worker.stop)

        async def begin() -> int:
            return now_us()

        return await worker.run(lambda: say(f"ready {plan.address}"), begin, tick)


async def _settled(ledgers: list[Path], database_url: str) -> Verdict:
    """Audit, again and again while something is still on its way into the database."""
    from device_sim.verify.database import verify  # SQLAlchemy and asyncpg: nothing that devices need

    loop = asyncio.get_running_loop()
    deadline = loop.time() + SETTLE_S
    while True:
        verdict = await verify(ledgers, database_url)
        if not verdict.lost or loop.time() > deadline:
            return verdict
        await asyncio.sleep(SETTLE_LOOK_S)


def refuse_simple_options(given: dict[str, object]) -> None:
    """Refuse options of the simple fleet beside a scenario, which says the same itself."""
    for name, value in given.items():
        if value is not None:
            raise BadArgumentError(name, "belongs to the simple fleet; a scenario says it itself")
