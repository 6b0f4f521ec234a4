"""The figures of a run while it runs: a table on stderr for a person, a line of JSON a second on stdout for machines.

Nothing at all when stderr is no terminal, or with --quiet.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence

import orjson
from rich.console import Console
from rich.live import Live
from rich.table import Table

from device_sim.figures.results import Mark
from device_sim.figures.snapshot import Snapshot

REFRESH_PER_S = 2


@contextlib.contextmanager
def live_view(
    title: str, marks: Sequence[Mark], *, quiet: bool, json: bool, say: Callable[[str], None]
) -> Iterator[Callable[[Snapshot], None]]:
    """Yield what takes each second's snapshot, until the block ends."""
    faults = [mark for mark in marks if mark.kind == "fault"]

    def now(snapshot: Snapshot) -> list[str]:
        return sorted({mark.name for mark in faults if mark.begin_s <= snapshot.at_s < mark.end_s})

    def line(snapshot: Snapshot) -> None:
        say(orjson.dumps(snapshot.as_json(now(snapshot))).decode())

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield line if json else lambda _: None
        return
    with Live(table(title, Snapshot(), []), console=console, refresh_per_second=REFRESH_PER_S, transient=True) as live:

        def show(snapshot: Snapshot) -> None:
            live.update(table(title, snapshot, now(snapshot)))
            if json:
                line(snapshot)

        yield show


def table(title: str, shot: Snapshot, faults: Sequence[str]) -> Table:
    """Make the table of one moment."""
    view = Table.grid(padding=(0, 2))
    view.title = f"{title}, {shot.at_s:,.0f} s"
    view.title_justify = "left"
    view.add_row("devices up", f"{shot.up:,} of {shot.devices:,}", "dashboards up", f"{shot.dashboards_up:,}")
    view.add_row("sent a second", f"{shot.sent_per_s:,.0f}", "acknowledged a second", f"{shot.acked_per_s:,.0f}")
    view.add_row("in flight", f"{shot.in_flight:,}", "shown a second", f"{shot.shown_per_s:,.0f}")
    view.add_row(
        "acknowledged p50, p99", f"{_ms(shot.acked_p50_s)}, {_ms(shot.acked_p99_s)}", "shown p99", _ms(shot.shown_p99_s)
    )
    view.add_row("given up", f"{shot.given_up:,}", "loop lag, cpu", f"{_ms(shot.loop_lag_s)}, {shot.cpu_share:.0%}")
    view.add_row("faults now", ", ".join(faults) or "none")
    return view


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:,.1f} ms"
