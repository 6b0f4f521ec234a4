"""The section "Fan-out": each row of the specification's table, measured in turn."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench import fanout, machine, stalled, wildcards
from tests.bench.cores import load_core
from tests.bench.effort import Effort
from tests.bench.figure import Row
from tests.bench.report import Section
from tests.bench.rounds import in_turns
from tests.bench.servers import Servers
from tests.bench.stompload import Stompload

TEXT = """\
`telemetry-hub serve` as it is, with uvloop and a Postgres, against `naive_hub.py`, which writes to each subscriber in
turn: server on one core, load on another, closed loop with 200 messages under way and one STOMP frame a WebSocket
message, unless the row says otherwise. The topics carry no telemetry, so nothing is stored.
"Of the limit" is the hub's CPU over that of `limit_hub.py`: the same load on a bare event loop without any
semantics, in the same turns.
"500 subscribers, 50 messages/s" is a load of `device-sim bench fanout`. The others are `stompload`'s and programs of their
own: at full speed the simulator, a Python process, would show its own limit, and its subscribers keep heart-beats, which
the idle connections here do not."""

Measured = tuple[list[Row], object]


def run(effort: Effort, directory: Path) -> tuple[Section, object]:
    """Measure all rows."""
    facts = machine.facts()
    load = Stompload(directory)
    rows: list[Row] = []
    raw: dict[str, object] = {}
    with Servers(directory) as servers:
        os.sched_setaffinity(0, {load_core()})
        for name, measure in _parts(servers, load, effort):
            if effort.wants(name):
                print(f"{name} …", flush=True)
                measured, raw[name] = measure()
                rows += measured
                for one in measured:
                    print(f"  {one.baseline} → {one.ours}, {one.cpu or one.value}", flush=True)
    return Section("fanout", "Fan-out", TEXT, rows, facts), raw


def _parts(servers: Servers, load: Stompload, effort: Effort) -> Iterator[tuple[str, Callable[[], Measured]]]:
    rounds, seconds = effort.rounds, effort.seconds
    for work in fanout.WORKS:

        def compare(work: fanout.Work = work) -> Measured:
            with servers.naive() as baseline, servers.hub() as hub, servers.limit() as limit:
                taken = in_turns(baseline, hub, load, work.arguments, seconds, rounds, limit)
            return [fanout.row(work, taken)], taken.raw()

        yield work.name, compare

    def paced() -> Measured:
        row, taken = fanout.paced(servers, min(rounds, 3), max(seconds, 3.0))
        return [row], taken

    yield fanout.PACED, paced
    for name in wildcards.FORMS:

        def wild(name: str = name) -> Measured:
            row, taken = wildcards.measure(name, servers, rounds, seconds)
            return [row], taken

        yield f"wildcards, {name}", wild

    def idle() -> Measured:
        return fanout.idle(servers, load, rounds, min(seconds, 3.0))

    yield "idle connections", idle
    # Long enough for the outboxes to fill: 4 MiB at half a megabyte a second.
    yield "stalled subscribers", lambda: stalled.measure(servers, min(rounds, 3), seconds * 4)
