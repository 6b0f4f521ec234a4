"""The section "Simulator": what one process on one core holds, sends and watches."""

import os
import statistics
from dataclasses import asdict
from pathlib import Path

from tests.bench import machine, simulator
from tests.bench.cores import load_core
from tests.bench.effort import Effort
from tests.bench.figure import Goal, Row, number
from tests.bench.report import Section

TEXT = """\
Here the simulator is what is measured, so no load is one of `device-sim bench`: it is `device-sim run` with a scenario, one
process on one core; broker (nats-server) or hub on the other. CPU is the simulator's own time (`/proc/PID/stat`), user and
system together. "The link alone" sends messages that were made beforehand, one a write, as the 20 a second of each device
come apart; the baseline is one send and one receive without anything around them. "With the fleet" adds sensors, payloads
and the schedule; a device that sends three messages a sample shares one write among them."""
CONNECTIONS = 5_000
RATE = 20_000.0


def run(effort: Effort, directory: Path) -> tuple[Section, object]:
    """Measure all rows."""
    facts = machine.facts()
    rows: list[Row] = []
    raw: dict[str, object] = {}
    seconds = 6.0 if effort.quick else max(effort.seconds * 2, 8.0)
    rounds = 1 if effort.quick else min(effort.rounds, 3)
    os.sched_setaffinity(0, {load_core()})
    if effort.wants("connections"):
        rows.append(_connections(directory, seconds, raw))
    if effort.wants("publish"):
        rows += _publish(directory, seconds, rounds, raw)
    if effort.wants("dashboards"):
        rows.append(_dashboards(directory, seconds, raw))
    return Section("simulator", "Simulator", TEXT, rows, facts), raw


def _connections(directory: Path, seconds: float, raw: dict[str, object]) -> Row:
    at = directory / "connections"
    at.mkdir()
    with simulator.broker(at) as url:
        scenario = simulator.CONNECTIONS.format(count=CONNECTIONS, seconds=seconds + 10, ramp=3)
        watched = simulator.run(scenario, at, "--mqtt-url", url)
    raw["connections"] = [asdict(shot) for shot in watched.shots]
    least = min(shot.line["up"] for shot in watched.shots[len(watched.shots) // 2 :])
    mebibytes = max(shot.rss_bytes for shot in watched.shots) / 2**20
    return Row(
        f"{CONNECTIONS:,} MQTT connections, keep-alive 10 s",
        "",
        f"{least:,} up throughout, {watched.cpu_share:.1%} of a core",
        mebibytes,
        Goal(150.0, at_least=False, unit="MiB RSS"),
    )


def _publish(directory: Path, seconds: float, rounds: int, raw: dict[str, object]) -> list[Row]:
    at = directory / "publish"
    at.mkdir()
    goal = Goal(25.0, at_least=False, unit="µs CPU a message")
    rows = []
    with simulator.broker(at) as url:
        taken = [simulator.link(url, 1_000, RATE, seconds / 3) for _ in range(rounds)]
        floor = statistics.median(simulator.floor(1_000) for _ in range(rounds))
        raw["link"], raw["floor"] = taken, floor
        rate, cpu = (statistics.median(of[key] for of in taken) for key in ("rate", "cpu_us"))
        rows.append(
            Row(
                "publish QoS 1 over 1,000 connections, the link alone",
                f"{floor:.3g} µs for its bare system calls",
                f"{number(rate)}/s acknowledged of {number(RATE)}/s due",
                cpu,
                goal,
            )
        )
        for name, form, prefix, samples in (("one", "json", "", RATE), ("three", "esphome", "sensor.", RATE / 3)):
            scenario = simulator.PUBLISH.format(seconds=seconds, rate=samples / 1_000, format=form, prefix=prefix)
            watched = simulator.run(scenario, at, "--mqtt-url", url, "--ledger", str(at / f"ledger-{name}"))
            raw[f"fleet-{name}"] = [asdict(shot) for shot in watched.shots]
            sent = watched.per_s("messages")
            messages = "message" if name == "one" else "messages"
            rows.append(
                Row(
                    f"the same with the fleet and a ledger, three sensors, {name} {messages} a sample",
                    "",
                    f"{number(sent)}/s of {number(RATE)}/s due, acknowledged p99 {_acked_p99_ms(watched):,.0f} ms",
                    watched.cpu_share / max(sent, 1.0) * 1e6,
                    goal,
                )
            )
    return rows


def _dashboards(directory: Path, seconds: float, raw: dict[str, object]) -> Row:
    at = directory / "dashboards"
    at.mkdir()
    at.chmod(0o755)
    with simulator.hub(at) as url:
        watched = simulator.run(simulator.WATCH.format(seconds=seconds), at, "--hub-url", url)
    raw["dashboards"] = [asdict(shot) for shot in watched.shots]
    first, last = watched.steady
    rates = [shot.line["shown_per_s"] for shot in watched.shots if first.line["at_s"] < shot.line["at_s"]]
    shown = statistics.median(rates or [last.line["shown_per_s"]])
    return Row(
        "1,000 dashboards on one topic of 220 messages/s",
        "",
        f"{watched.cpu_share / max(shown, 1.0) * 1e6:.2g} µs CPU a delivery, p99 {last.line['shown_p99_s'] * 1e3:.0f} ms",
        shown,
        Goal(200_000.0, at_least=True, unit="deliveries/s"),
    )


def _acked_p99_ms(watched: simulator.Watched) -> float:
    return 1e3 * float(statistics.median(shot.line["acked_p99_s"] for shot in watched.shots))
