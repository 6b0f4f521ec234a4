"""The report for the person at the terminal: outcome, expectations, latencies, what was counted."""

from collections.abc import Iterator
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from device_sim.figures.expectations import ExitStatus
from device_sim.figures.results import KINDS
from device_sim.report.report import Report

TITLES: Final = {
    "acknowledged": "acknowledged",
    "delivered": "delivered",
    "stored": "stored",
    "late": "left late by",
    "loop_lag": "own loop lag",
}
STYLES: Final = {ExitStatus.MET: "green", ExitStatus.NOT_MET: "red", ExitStatus.INVALID: "yellow"}


def show(report: Report, console: Console) -> None:
    """Print it."""
    console.print(Group(*_parts(report)))


def _parts(report: Report) -> Iterator[RenderableType]:
    yield Text(report.headline, style=f"bold {STYLES[report.status]}")
    yield Text(_counts(report))
    if report.outcomes:
        table = Table("expected", "was", "", title_justify="left")
        for outcome in report.outcomes:
            figure = "not measured" if outcome.figure is None else f"{outcome.figure:,.6g}"
            mark = Text("met", "green") if outcome.met else Text("not met", "red")
            table.add_row(f"{outcome.name} {outcome.bound}", figure, mark)
        yield table
    if measured := [kind for kind in KINDS if kind in report.result.latencies]:
        table = Table("latency, ms", *("p50", "p90", "p99", "p99.9", "max", "count"))
        for kind in measured:
            histogram = report.result.latencies[kind]
            figures = [*(histogram.percentile_s(percent) for percent in (50, 90, 99, 99.9)), histogram.max_s]
            table.add_row(TITLES[kind], *(f"{seconds * 1e3:,.1f}" for seconds in figures), f"{histogram.count:,}")
        for column in table.columns[1:]:
            column.justify = "right"
        yield table
    if report.verdict is not None:
        for example in report.verdict.examples:
            yield Text(str(example))


def _counts(report: Report) -> str:
    result = report.result
    parts = [
        f"{result.messages:,} messages in {result.seconds:,.1f} s",
        f"{result.acknowledged:,} acknowledged",
        f"{result.delivered:,} delivered",
        *(f"{number:,} dropped: {reason}" for reason, number in result.drops.items()),
    ]
    if report.verdict is not None:
        parts.append(f"{report.verdict.stored:,} readings stored of {report.verdict.acknowledged:,} acknowledged")
    return ", ".join(parts)
