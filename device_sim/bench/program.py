"""The command `device-sim bench`: standard loads against one or several servers in turns, as a table and as JSON.

The servers take each load one after the other, so that a noisy machine is as noisy for all of them. stdout gets one JSON
object a row as it is measured; the table goes to stderr.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import orjson
from rich.console import Console
from rich.table import Table

from device_sim.bench.loads import BENCHES, BenchName, Load
from device_sim.bench.measure import BenchRow, measure
from device_sim.errors import BadArgumentError
from device_sim.figures.expectations import ExitStatus
from device_sim.programs import on_signal, prepare_logs, say
from device_sim.reach import check_broker, check_stomp
from device_sim.run.identities import Targets
from device_sim.scenario.check import refuse

FILE_COLUMNS: Final = 200
"""Width of the table where no terminal has one."""


class Stopper:
    """SIGINT and SIGTERM end the load in hand and leave the others out."""

    def __init__(self) -> None:
        self._asked = False
        self._stop: Callable[[], None] = lambda: None

    def asked(self) -> bool:
        """Whether a signal has arrived."""
        return self._asked

    def hold(self, stop: Callable[[], None]) -> None:
        """Set what ends the load that runs from now on, on its event loop."""
        self._stop = stop
        on_signal(self._ask)

    def _ask(self) -> None:
        self._asked = True
        self._stop()


def run_bench(bench: BenchName, seconds: float, topic: str, servers: Sequence[Targets], only: str) -> int:
    """Measure; return the exit status: 3 when a row means nothing. BadArgumentError names a server that is not there."""
    every = BENCHES[bench](seconds, topic)
    loads = [load for load in every if only in load.name]
    if not loads:
        raise BadArgumentError(
            "--only", f"no load has {only!r} in its name; there are {', '.join(of.name for of in every)}"
        )
    for load in loads:
        refuse(load.scenario)
    links = {device_class.link for load in loads for device_class in load.scenario.classes}
    for targets in servers:
        check_stomp(targets.hub, targets.tls, targets.vhost)
        if links & {"mqtt", "mqtt5"}:
            check_broker(targets.mqtt, targets.tls)
    prepare_logs()
    console = Console(stderr=True)
    if not console.is_terminal:
        console.width = FILE_COLUMNS
    rows: list[BenchRow] = []
    for row in _rows(loads, servers, console):
        say(orjson.dumps(row.as_json()).decode())
        rows.append(row)
    console.print(table(rows))
    invalid = {reason for row in rows for reason in row.invalid}
    for reason in sorted(invalid):
        console.print(f"not valid: {reason}", markup=False)
    return int(ExitStatus.INVALID if invalid else ExitStatus.MET)


def table(rows: Sequence[BenchRow]) -> Table:
    """Return the rows for people; columns without a figure are left out."""
    columns: list[tuple[str, list[str]]] = [
        ("load", [row.load for row in rows]),
        ("server", [row.server for row in rows]),
        ("messages/s", [f"{row.messages / row.seconds:,.0f}" if row.seconds else "" for row in rows]),
        ("delivered", [f"{row.delivered / row.due:.1%}" if row.due else "" for row in rows]),
        ("acknowledged p50", [_ms(row.acknowledged_p50_ms) for row in rows]),
        ("p99", [_ms(row.acknowledged_p99_ms) for row in rows]),
        ("delivered p50", [_ms(row.delivered_p50_ms) for row in rows]),
        ("p99", [_ms(row.delivered_p99_ms) for row in rows]),
        ("server CPU", [_cpu(row) for row in rows]),
        ("of a core", ["" if row.server_busy is None else f"{row.server_busy:.0%}" for row in rows]),
        ("memory", ["" if row.server_kib is None else f"{row.server_kib:.1f} KiB" for row in rows]),
        ("valid", ["no" if row.invalid else "yes" for row in rows]),
    ]
    shown = [column for column in columns if any(column[1])]
    made = Table()
    for name, _ in shown:
        made.add_column(name, justify="left" if name in {"load", "server"} else "right", overflow="fold")
    for cells in zip(*(cells for _, cells in shown), strict=True):
        made.add_row(*cells)
    return made


def _rows(loads: Sequence[Load], servers: Sequence[Targets], console: Console) -> Iterator[BenchRow]:
    stopper = Stopper()
    for load in loads:
        for targets in servers:
            if stopper.asked():
                return
            waiting = console.status(f"{load.name}: {targets.hub}") if console.is_terminal else contextlib.nullcontext()
            with waiting:
                row = measure(load, str(targets.hub), targets, stopper.hold)
            if stopper.asked() and not row.messages:
                return  # stopped before it began: nothing was measured, and the server is not to blame
            yield row


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} ms"


def _cpu(row: BenchRow) -> str:
    if row.server_cpu_us is None:
        return ""
    return f"{row.server_cpu_us:.2f} µs a {row.per}{' and second' if row.per == 'connection' else ''}"
