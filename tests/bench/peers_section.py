"""The section "Peers": what the same loads cost the hub and RabbitMQ's Web-STOMP, in turns."""

from pathlib import Path
from typing import Any

from tests.bench import device_bench, machine, peers
from tests.bench.cores import on_core, server_core
from tests.bench.effort import Effort
from tests.bench.figure import Row
from tests.bench.report import Section
from tests.bench.rounds import in_turns
from tests.bench.servers import Server, Servers
from tests.bench.stompload import BenchSkipped, Stompload
from tests.support.rabbitmq import PROGRAM, rabbitmq

WEB_STOMP = """\
stomp.listeners.tcp.1 = 127.0.0.1:{free}
web_stomp.tcp.ip = 127.0.0.1
web_stomp.tcp.port = {port}"""
TEXT = """\
The hub (column "hub") and RabbitMQ's Web-STOMP (column "baseline"; Debian's package, stock settings), in turns, both on one
core, the load on the other; CPU is that of all processes of a server. The figure is RabbitMQ's CPU time for a delivery, or
for a SEND with its receipt, over the hub's: how much more the hub does per core.

"At full speed" is `stompload` in a closed loop with 200 messages under way, as in "Fan-out". The other rows are those of
`device-sim bench fanout`: one publisher at a fixed rate on one topic, each message with its receipt, far below what the hub
can do at most; at low rates there is little to batch, and the figure is small."""


def run(effort: Effort, directory: Path) -> tuple[Section, object]:
    """Measure the loads against both."""
    if not PROGRAM.exists():
        raise BenchSkipped("RabbitMQ is not installed (apt-get install rabbitmq-server)")
    facts = machine.facts()
    with Servers(directory) as servers, servers.hub() as hub:
        with on_core(server_core()):
            rabbit = rabbitmq(directory / "rabbitmq", "rabbitmq_web_stomp", WEB_STOMP)
            node = rabbit.__enter__()
            peer = Server(node.port, node.pid)
        try:
            paced = _paced(effort, hub, peer)
            rows, full = _at_full_speed(effort, directory, hub, peer)
        finally:
            rabbit.__exit__(None, None, None)
    rows += [paced_row(*paced[at : at + 2]) for at in range(0, len(paced), 2)]
    return Section("peers", "Peers", TEXT, rows, facts), {"at_full_speed": full, "paced": paced}


def _at_full_speed(
    effort: Effort, directory: Path, hub: Server, peer: Server
) -> tuple[list[Row], dict[str, dict[str, list[dict[str, float]]]]]:
    rows: list[Row] = []
    raw: dict[str, dict[str, list[dict[str, float]]]] = {}
    works = [work for work in peers.WORKS if effort.wants(work.name)]
    try:
        load = Stompload(directory)
    except BenchSkipped as reason:
        print(f"peers at full speed: skipped: {reason}")
        return rows, raw
    for work in works:
        taken = in_turns(peer, hub, load, work.arguments, effort.seconds, min(effort.rounds, 3))
        rows.append(peers.row(work, taken))
        raw[work.name] = taken.raw()
        print(f"  {work.name}: {rows[-1].baseline} → {rows[-1].ours}", flush=True)
    return rows, raw


def _paced(effort: Effort, hub: Server, peer: Server) -> list[dict[str, Any]]:
    if not any(effort.wants(name) for name in device_bench.names()):
        return []
    seconds = 3.0 if effort.quick else max(effort.seconds, 8.0)
    urls = [f"ws://127.0.0.1:{hub.port}/ws", f"ws://guest:guest@127.0.0.1:{peer.port}/ws"]
    return device_bench.fanout(urls, seconds, effort.only)


def paced_row(ours: dict[str, Any], theirs: dict[str, Any]) -> Row:
    """Compare the two rows of a load; without two costs there is no ratio, and the notes say why."""
    costs = theirs["server_cpu_us"], ours["server_cpu_us"]
    ratio = costs[0] / max(costs[1], 0.001) if None not in costs else 0.0
    invalid = sorted({*ours["invalid"], *theirs["invalid"]})
    return Row(ours["load"], _told(theirs), _told(ours), ratio, None, notes="; ".join(invalid))


def _told(row: dict[str, Any]) -> str:
    cost, late_ms = row["server_cpu_us"], row["delivered_p99_ms"]
    arrived = row["delivered"] / max(row["due"], 1)
    parts = ["CPU unknown" if cost is None else f"{cost:.2f} µs"]
    parts += [] if late_ms is None else [f"p99 {late_ms:.1f} ms"]
    return ", ".join([*parts, f"{arrived:.1%} delivered"])
