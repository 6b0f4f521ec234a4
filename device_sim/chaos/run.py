"""`device-sim chaos`: the system with a fleet, kills and faults on a schedule, a drain, and the verdict.

Order: the stack, the fleet; the plan's kills, each followed by a restart, and its faults; the fleet's end; then until the
database holds what was acknowledged, or the drain's deadline; bridge and hub in order; the verdict. A part that ends
without having been killed ends the run.

The fleet is `device-sim run` as a process of its own: what it measures is in the report that it writes.
"""

import asyncio
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NoReturn

import orjson
from rich.console import Console

from device_sim.chaos.brokers import make_broker
from device_sim.chaos.faults import FAULTS, FakeClock, Surroundings
from device_sim.chaos.fleet import LINKS, scenario_text
from device_sim.chaos.plan import Kill, Strike, plan
from device_sim.chaos.pooler import MODES
from device_sim.chaos.stack import READY_DEADLINE_S, Stack
from device_sim.errors import BadArgumentError, SimulatorError
from device_sim.figures.expectations import ExitStatus, refuse_unmeasurable
from device_sim.figures.results import Mark, RunResult
from device_sim.programs import prepare_logs, say
from device_sim.report import Report, check_paths, write_report
from device_sim.report.terminal import show
from device_sim.scenario.builtin import find_scenario
from device_sim.scenario.declared import Bound
from device_sim.scenario.model import MOST_MESSAGES_PER_DEVICE_S
from device_sim.verify import Verdict
from device_sim.verify.database import verify
from hub.errors import ChildFailedError, HubError
from hub.processes import child_process
from hub.processes.supervisor import Child
from storage.errors import StorageError

FLEET_END_S: Final = 300.0
"""How long the fleet may take past its duration: it waits for acknowledgements, then for the database."""
DRAIN_DEADLINE_S: Final = 90.0
"""How long nothing may arrive of what is still missing, before it counts as lost; above the broker's ack_wait."""
DRAIN_PERIOD_S: Final = 1.0
CHECK_PERIOD_S: Final = 0.1
EXIT_INTERRUPTED: Final = 128 + signal.SIGINT
MOST_MINUTES: Final = 24 * 60.0
SETTINGS: Final = {
    "TELEMETRY_HUB_STORAGE__KEEP_READINGS": "P1500D",
    "TELEMETRY_HUB_STORAGE__MAINTENANCE_EVERY_S": "1",
}
"""Of a hub whose clock and database change: retention is on, looks each second, and must not drop what `days` sends."""
PARTS_IN_ORDER: Final = ("postgres", "broker", "hub", "bridge")
"""Those that others connect to come back first."""
AUDIT: Final[Mapping[str, Bound]] = {name: Bound("=", 0) for name in ("loss", "duplicates", "phantom", "altered")}


@dataclass(frozen=True, slots=True)
class ChaosOptions:
    """What the command line says; without `data_dir` a temporary one, kept only when the run fails."""

    seed: int
    minutes: float
    devices: int
    rate: float  # messages a second of each device
    link: str
    scenario: str | None
    parts: tuple[str, ...]
    broker: str
    data_dir: Path | None
    reports: tuple[Path, ...]
    faults: tuple[str, ...] = ()
    pooler: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.minutes <= MOST_MINUTES:
            raise BadArgumentError("--minutes", f"{self.minutes:g} is not a number of minutes up to {MOST_MINUTES:g}")
        if self.devices < 1:
            raise BadArgumentError("--devices", f"{self.devices} devices send nothing; give 1 or more")
        if not 0 < self.rate <= MOST_MESSAGES_PER_DEVICE_S:
            most = f"{MOST_MESSAGES_PER_DEVICE_S:g}"
            raise BadArgumentError("--rate", f"{self.rate:g} is not a number of messages a second up to {most}")
        if self.link not in LINKS:
            raise BadArgumentError("--link", f"{self.link!r} is none of {', '.join(LINKS)}")
        if self.pooler is not None and self.pooler not in MODES:
            raise BadArgumentError("--pooler", f"{self.pooler!r} is none of {', '.join(MODES)}")
        check_paths(self.reports)

    @property
    def duration_s(self) -> float:
        return self.minutes * 60


@dataclass(frozen=True, slots=True)
class Recovery:
    """A kill that happened, by the wall clock, and when all its parts were ready again."""

    parts: tuple[str, ...]
    killed: float
    back: float

    @property
    def took_s(self) -> float:
        return self.back - self.killed


class Chaos:
    """One run."""

    def __init__(self, options: ChaosOptions) -> None:
        self._options = options
        self._console = Console(stderr=True, highlight=False)
        self._recoveries: list[Recovery] = []
        self._strikes: list[tuple[str, float, float]] = []  # the fault, its begin and its end by the wall clock
        self._bounds = dict(AUDIT)
        if options.scenario is not None:
            scenario = find_scenario(options.scenario)
            self._bounds |= scenario.bounds
            refuse_unmeasurable(self._bounds, database=True, dashboards=bool(scenario.dashboards))

    def run(self) -> int:
        """Run it all; print the line of figures and return the exit status."""
        signal.signal(signal.SIGTERM, _interrupt)
        prepare_logs()
        kept = self._options.data_dir
        directory = (kept or Path(tempfile.mkdtemp(prefix="device-sim-chaos-"))).resolve()
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o755)  # a broker or pooler that drops root must get through
        try:
            report = self._judge(directory)
        except KeyboardInterrupt:
            self._console.print("Stopped before all was counted; nothing is proved.")
            return EXIT_INTERRUPTED
        except (HubError, StorageError) as error:
            raise SimulatorError(f"{error}\n(everything is kept in {directory})") from error
        status = report.status
        if status is ExitStatus.MET and kept is None:
            shutil.rmtree(directory, ignore_errors=True)
        else:
            self._console.print(f"Logs, ledger and database are kept in {directory}", soft_wrap=True)
        show(report, self._console)
        for file in self._options.reports:
            write_report(report, file)
        say(orjson.dumps(self._figures(report)).decode())
        return int(status)

    def _judge(self, directory: Path) -> Report:
        ledger, history, measured = directory / "ledger", directory / "history", directory / "fleet.json"
        for file in (ledger, history, measured):
            file.unlink(missing_ok=True)
        faults = self._options.faults
        clock = FakeClock(directory) if "clock" in faults else None
        settings = SETTINGS if faults else {}
        broker = make_broker(self._options.broker, directory)
        with Stack(directory, broker, pooler=self._options.pooler, clock=clock, settings=settings) as stack:
            around = Surroundings(directory, stack.mqtt_url, stack.database_url, clock, history)
            self._live(stack, self._fleet_command(stack, directory, ledger, measured), around)
            verdict = self._settle(stack, [file for file in (ledger, history) if file.exists()])
        result = RunResult.from_json(orjson.loads(measured.read_bytes())["run"])
        kills = [
            Mark("kill", "+".join(of.parts), of.killed - result.started_us / 1e6, of.back - result.started_us / 1e6)
            for of in self._recoveries
        ]
        strikes = [
            Mark("fault", fault, begin - result.started_us / 1e6, end - result.started_us / 1e6)
            for fault, begin, end in self._strikes
        ]
        notes = {**result.notes, "broker": self._options.broker, "kills": self._tally()}
        return Report.of(self._bounds, replace(result, marks=(*result.marks, *kills, *strikes), notes=notes), verdict)

    def _fleet_command(self, stack: Stack, directory: Path, ledger: Path, measured: Path) -> list[str]:
        options = self._options
        scenario = options.scenario
        if scenario is None:
            file = directory / "chaos.toml"
            text = scenario_text(options.seed, options.duration_s, options.devices, options.rate, options.link)
            file.write_text(text, encoding="utf-8")
            scenario = str(file)
        return [
            *(child_process.program("device-sim"), "run", scenario, "--quiet"),
            *("--seed", str(options.seed), "--for", str(options.duration_s)),
            *("--mqtt-url", stack.mqtt_url, "--hub-url", stack.hub_url, "--stomp-url", stack.stomp_url),
            *("--database-url", stack.database_url, "--ledger", str(ledger), "--report", str(measured)),
        ]

    def _live(self, stack: Stack, command: list[str], around: Surroundings) -> None:
        """Let the fleet send while parts are killed and faults happen, and come to its end."""
        fleet = stack.supervisor.start("fleet", command)
        fleet.wait_ready(READY_DEADLINE_S)
        began = time.monotonic()
        say(f"ready {stack.hub_url} {stack.mqtt_url}")
        rng = random.Random(f"{self._options.seed}/faults")
        for event in plan(self._options.seed, self._options.duration_s, self._options.parts, self._options.faults):
            self._wait(stack, fleet, began + event.at_s)
            if isinstance(event, Kill):
                self._kill(stack, event, began)
            else:
                self._strike(event, around, rng, began)
        end = began + self._options.duration_s + FLEET_END_S
        while (status := fleet.process.poll()) is None:
            stack.check()
            if time.monotonic() > end:
                raise ChildFailedError("fleet", f"did not end within {FLEET_END_S:.0f} s", _log(fleet))
            time.sleep(CHECK_PERIOD_S)
        # Its own judgement does not matter here: the verdict is about the whole run, the drain included.
        if status not in {ExitStatus.MET, ExitStatus.NOT_MET, ExitStatus.INVALID}:
            raise ChildFailedError("fleet", f"ended with status {status}", _log(fleet))
        stack.supervisor.forget(fleet)

    def _kill(self, stack: Stack, kill: Kill, began: float) -> None:
        killed, at_s = time.time(), time.monotonic() - began
        for part in kill.parts:
            stack.kill(part)
        time.sleep(kill.down_s)
        for part in sorted(kill.parts, key=PARTS_IN_ORDER.index):
            stack.start(part)
        recovery = Recovery(kill.parts, killed, time.time())
        self._recoveries.append(recovery)
        self._console.print(
            f"{at_s:6.1f} s  kill -9 {' and '.join(kill.parts)}, ready again after {recovery.took_s:.1f} s"
        )

    def _strike(self, strike: Strike, around: Surroundings, rng: random.Random, began: float) -> None:
        begin, at_s = time.time(), time.monotonic() - began
        told = FAULTS[strike.fault](around, rng, strike.for_s)
        self._strikes.append((strike.fault, begin, time.time()))
        self._console.print(f"{at_s:6.1f} s  {told}")

    def _wait(self, stack: Stack, fleet: Child, until: float) -> None:
        while (left_s := until - time.monotonic()) > 0:
            stack.check()
            fleet.check()
            time.sleep(min(left_s, CHECK_PERIOD_S))

    def _settle(self, stack: Stack, ledgers: Sequence[Path]) -> Verdict:
        """Wait until what was acknowledged is stored, end bridge and hub in order, and judge."""
        least, deadline = None, time.monotonic() + DRAIN_DEADLINE_S
        while (missing := _verdict(ledgers, stack).lost) and time.monotonic() < deadline:
            if least is None or missing < least:
                least, deadline = missing, time.monotonic() + DRAIN_DEADLINE_S
            stack.check()
            time.sleep(DRAIN_PERIOD_S)
        stack.stop("bridge")
        stack.stop("hub")
        return _verdict(ledgers, stack)

    def _tally(self) -> str:
        counts = {part: sum(part in of.parts for of in self._recoveries) for part in self._options.parts}
        return ", ".join(f"{part} {count}" for part, count in counts.items())

    def _figures(self, report: Report) -> dict[str, Any]:
        assert report.verdict is not None  # noqa: S101 - _judge has put it in
        return {
            **report.verdict.as_json(),
            "messages": report.result.messages,
            "seconds": round(report.result.seconds, 3),
            "delivered": report.result.delivered,
            "kills": {part: sum(part in of.parts for of in self._recoveries) for part in self._options.parts},
            "faults": {name: sum(fault == name for fault, _, _ in self._strikes) for name in self._options.faults},
            "longest_recovery_s": round(max((of.took_s for of in self._recoveries), default=0.0), 3),
            "outcome": report.status.name.lower(),
        }


def _verdict(ledgers: Sequence[Path], stack: Stack) -> Verdict:
    return asyncio.run(verify(ledgers, stack.database_url))


def _log(child: Child) -> str:
    return child_process.log_tail(child.log_path)


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    """Stop on SIGTERM as on Ctrl-C."""
    raise KeyboardInterrupt
