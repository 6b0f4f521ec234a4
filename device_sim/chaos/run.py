"""`device-sim chaos`: the system with a fleet, kills on a schedule, a drain, and the verdict.

Order: the stack, a dashboard, the fleet; the plan's kills, each followed by a restart; the fleet's end; then until the
database holds what was acknowledged, or the drain's deadline; bridge and hub in order; the verdict. A part that ends
without having been killed ends the run.
"""

import asyncio
import shutil
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import orjson
from rich.console import Console

from device_sim.chaos.plan import Kill, plan
from device_sim.chaos.stack import READY_DEADLINE_S, Stack, make_broker
from device_sim.errors import BadArgumentError
from device_sim.verify import Verdict, verify
from hub import child_process

FLEET_STOP_DEADLINE_S: Final = 60.0
DRAIN_DEADLINE_S: Final = 90.0
DRAIN_PERIOD_S: Final = 1.0
CHECK_PERIOD_S: Final = 0.1
EXIT_INTERRUPTED: Final = 128 + signal.SIGINT
MOST_MINUTES: Final = 24 * 60.0
PARTS_IN_ORDER: Final = ("postgres", "broker", "hub", "bridge")


@dataclass(frozen=True, slots=True)
class ChaosOptions:
    """What the command line says; without `data_dir` a temporary one, kept only when the run fails."""

    seed: int
    minutes: float
    devices: int
    rate: float  # messages a second of each device
    parts: tuple[str, ...]
    broker: str
    protocol: str
    data_dir: Path | None

    def __post_init__(self) -> None:
        if not 0 < self.minutes <= MOST_MINUTES:
            raise BadArgumentError("--minutes", f"{self.minutes:g} is not a number of minutes up to {MOST_MINUTES:g}")
        if self.protocol not in {"mqtt", "stomp"}:
            raise BadArgumentError("--protocol", f"{self.protocol!r} is neither mqtt nor stomp")


@dataclass(frozen=True, slots=True)
class Recovery:
    """A kill that happened: when, seconds after the fleet's start, and when all its parts were ready again."""

    parts: tuple[str, ...]
    killed_s: float
    back_s: float


class Chaos:
    """One run."""

    def __init__(self, options: ChaosOptions) -> None:
        self._options = options
        self._console = Console(stderr=True, highlight=False)
        self._recoveries: list[Recovery] = []

    def run(self) -> int:
        """Run it all; print the line of figures and return the exit status."""
        signal.signal(signal.SIGTERM, _interrupt)
        kept = self._options.data_dir
        directory = kept or Path(tempfile.mkdtemp(prefix="device-sim-chaos-"))
        directory = directory.resolve()
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o755)
        ledger = directory / "ledger"
        ledger.unlink(missing_ok=True)
        try:
            with Stack(directory, make_broker(self._options.broker, directory)) as stack:
                fleet = self._live(stack, ledger)
                verdict = self._settle(stack, ledger)
        except KeyboardInterrupt:
            self._console.print("Stopped before all was counted; nothing is proved.")
            return EXIT_INTERRUPTED
        if verdict.ok and kept is None:
            shutil.rmtree(directory, ignore_errors=True)
        else:
            self._console.print(f"Logs, ledger and database are kept in {directory}", soft_wrap=True)
        line = self._figures(fleet, verdict)
        print(orjson.dumps(line).decode(), flush=True)  # noqa: T201 - the programs' contract
        return 0 if verdict.ok else 1

    def _live(self, stack: Stack, ledger: Path) -> dict[str, Any]:
        """Let the fleet send while parts are killed; return its figures."""
        options = self._options
        device_sim = child_process.program("device-sim")
        dashboard = stack.supervisor.start("dashboard", [device_sim, "watch", "--hub-url", stack.hub_url])
        dashboard.wait_ready(READY_DEADLINE_S)
        command = [device_sim, "run", "--devices", str(options.devices), "--rate", str(options.devices * options.rate)]
        command += ["--seed", str(options.seed), "--protocol", options.protocol, "--ledger", str(ledger)]
        command += ["--mqtt-url", stack.mqtt_url, "--hub-url", stack.hub_url]
        fleet = stack.supervisor.start("fleet", command)
        fleet.wait_ready(READY_DEADLINE_S)
        began = time.monotonic()
        print("ready", stack.hub_url, stack.mqtt_url, flush=True)  # noqa: T201 - the programs' contract
        duration_s = options.minutes * 60
        for kill in plan(options.seed, duration_s, options.parts):
            self._wait(stack, began + kill.at_s)
            self._kill(stack, kill, began)
        self._wait(stack, began + duration_s)
        figures: dict[str, Any] = orjson.loads(stack.supervisor.stop(fleet, FLEET_STOP_DEADLINE_S))
        watched: dict[str, Any] = orjson.loads(stack.supervisor.stop(dashboard))
        return figures | watched

    def _kill(self, stack: Stack, kill: Kill, began: float) -> None:
        killed_s = time.monotonic() - began
        for part in kill.parts:
            stack.kill(part)
        self._wait(stack, time.monotonic() + kill.down_s)
        # Postgres and the broker before those that connect to them.
        for part in sorted(kill.parts, key=PARTS_IN_ORDER.index):
            stack.start(part)
        back_s = time.monotonic() - began
        self._recoveries.append(Recovery(kill.parts, killed_s, back_s))
        self._console.print(
            f"{killed_s:6.1f} s  kill -9 {' and '.join(kill.parts)}, ready again after {back_s - killed_s:.1f} s"
        )

    def _wait(self, stack: Stack, until: float) -> None:
        while (left_s := until - time.monotonic()) > 0:
            stack.check()
            time.sleep(min(left_s, CHECK_PERIOD_S))

    def _settle(self, stack: Stack, ledger: Path) -> Verdict:
        """Wait until what was acknowledged is stored, end bridge and hub in order, and judge."""
        deadline = time.monotonic() + DRAIN_DEADLINE_S
        while _verdict(ledger, stack).lost and time.monotonic() < deadline:
            self._wait(stack, time.monotonic() + DRAIN_PERIOD_S)
        stack.stop("bridge")
        stack.stop("hub")
        verdict = _verdict(ledger, stack)
        for example in verdict.examples:
            self._console.print(str(example), soft_wrap=True)
        return verdict

    def _figures(self, fleet: dict[str, Any], verdict: Verdict) -> dict[str, Any]:
        return {
            **verdict.as_json(),
            "messages": fleet["messages"],
            "seconds": fleet["seconds"],
            "delivered": fleet["delivered"],
            "kills": {part: sum(part in of.parts for of in self._recoveries) for part in self._options.parts},
            "longest_recovery_s": round(max((of.back_s - of.killed_s for of in self._recoveries), default=0.0), 3),
        }


def _verdict(ledger: Path, stack: Stack) -> Verdict:
    return asyncio.run(verify([ledger], stack.database_url))


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    """Stop on SIGTERM as on Ctrl-C."""
    raise KeyboardInterrupt
