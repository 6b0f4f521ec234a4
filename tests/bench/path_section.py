"""The section "Whole path": what a message of three metrics costs in each part, and that none was lost."""

import statistics
from dataclasses import asdict
from pathlib import Path

from tests.bench import bridge_alone, machine, path
from tests.bench.effort import Effort
from tests.bench.figure import Goal, Row, median_ratio, number
from tests.bench.flood import METRICS
from tests.bench.report import Section

TEXT = f"""\
`mqtt_flood.py` at QoS 1 (1,000 devices, three metrics a message, at most {path.WINDOW:,} unacknowledged) → nats-server →
bridge → hub → embedded Postgres, `synchronous_commit` on, nothing pinned: all of it and the load share the cores. CPU is
each part's time a message, until the last reading was committed. A PUBACK here is the broker's; that each message it
acknowledged was stored is counted in the database, series by series.

"Bridge alone" has a source that sends pre-encoded PUBLISHes and a sink that receipts at once in the places of broker and
hub, pinned to the other core than the subscriber: bridge or the stock paho subscriber, in turns.

The fleet is `device-sim run`'s and sends at its own pace; the pipeline is bridge, hub, Postgres and broker, its share is of
the time of all cores. No load here is one of `device-sim bench`: those are paced, and `pipeline` measures the hub alone, in
a system that runs already."""
# Reference: the sketch that the design was decided on (performance reference, section 1.2).
SKETCH = {"bridge": 2.1, "hub": 3.7, "Postgres": 6.3, "broker": 18.0}
SKETCH_WITH_DASHBOARDS = {"hub": 16.0}
GOALS = {"bridge": 5.0, "hub": 8.0, "Postgres": 9.0}
GOALS_WITH_DASHBOARDS = {"hub": 20.0}
GOAL_TOGETHER_US = 20.0
GOAL_FLEET_PERCENT = 30.0
FLEET_DEVICES = 5_000
QUICK_SECONDS, LEAST_SECONDS = 2.0, 8.0


def run(effort: Effort, directory: Path) -> tuple[Section, object]:
    """Measure without and with dashboards, the bridge alone beside the stock subscriber, and a paced fleet."""
    facts = machine.facts()
    seconds = QUICK_SECONDS if effort.quick else max(effort.seconds, LEAST_SECONDS)
    plain: list[path.Measured] = []
    watched: list[path.Measured] = []
    alone: list[bridge_alone.Taken] = []
    stock: list[bridge_alone.Taken] = []
    fleets: list[path.FleetMeasured] = []
    for number_of_round in range(min(effort.rounds, 3)):
        at = directory / str(number_of_round)
        stock.append(bridge_alone.stock(at / "stock", seconds / 2))
        alone.append(bridge_alone.bridge(at / "alone", seconds / 2))
        print(stock[-1], alone[-1], flush=True)
        for runs, dashboards in ((plain, 0), (watched, path.DASHBOARDS)):
            runs.append(path.drive(at / f"dashboards-{dashboards}", seconds, dashboards))
            print(runs[-1], flush=True)
        fleets.append(path.fleet(at / "fleet", FLEET_DEVICES, seconds))
        print(fleets[-1], flush=True)
    rows = [
        *_rows(plain, "", SKETCH, GOALS),
        _together(plain),
        *_rows(watched, ", 10 dashboards", SKETCH_WITH_DASHBOARDS, GOALS_WITH_DASHBOARDS),
        _alone(alone, stock),
        _fleet(fleets),
    ]
    raw = {
        "plain": path.raw(plain),
        "ten_dashboards": path.raw(watched),
        "bridge_alone": [asdict(one) for one in alone],
        "stock_paho": [asdict(one) for one in stock],
        "fleet": [asdict(one) for one in fleets],
    }
    return Section("path", "Whole path", TEXT, rows, facts), raw


def _rows(runs: list[path.Measured], suffix: str, sketch: dict[str, float], goals: dict[str, float]) -> list[Row]:
    rate = statistics.median(one.messages_per_s for one in runs)
    lost = sum(one.lost for one in runs)
    acknowledged = sum(one.acknowledged for one in runs)
    none = Goal(0, at_least=False, unit="readings")
    rows = [
        Row(f"messages a second{suffix}", "", f"{number(rate)}/s", rate, None),
        Row(f"readings lost{suffix}", "", f"{lost} of {acknowledged * METRICS:,}", lost, none),
    ]
    for part in path.PARTS:
        cost = statistics.median(one.cpu_us[part] for one in runs)
        baseline = f"sketch: {sketch[part]} µs" if part in sketch else ""
        goal = Goal(goals[part], at_least=False, unit="µs") if part in goals else None
        notes = _beside_broker(runs, (part,), goal) if goal is not None and "broker" in sketch else ""
        rows.append(Row(f"{part}: CPU a message{suffix}", baseline, f"{cost:.1f} µs", cost, goal, notes=notes))
    return rows


def _together(runs: list[path.Measured]) -> Row:
    cost = statistics.median(sum(one.cpu_us[part] for part in GOALS) for one in runs)
    goal = Goal(GOAL_TOGETHER_US, at_least=False, unit="µs")
    notes = _beside_broker(runs, tuple(GOALS), goal)
    return Row("bridge, hub and Postgres together: CPU a message", "", f"{cost:.1f} µs", cost, goal, notes=notes)


def _beside_broker(runs: list[path.Measured], parts: tuple[str, ...], goal: Goal) -> str:
    """Return the cost as a share of the broker's in the same run, which is no work of ours: it tells the machine's pace."""
    share = statistics.median(sum(one.cpu_us[part] for part in parts) / one.cpu_us["broker"] for one in runs)
    return f"{share:.2f} of the broker's; the goal is {goal.bound / SKETCH['broker']:.2f} of the sketch's broker"


def _alone(alone: list[bridge_alone.Taken], stock: list[bridge_alone.Taken]) -> Row:
    ratio = median_ratio([one.messages_per_s for one in alone], [one.messages_per_s for one in stock])
    ours, theirs = (statistics.median(one.messages_per_s for one in runs) for runs in (alone, stock))
    costs = [statistics.median(one.cpu_us for one in runs) for runs in (alone, stock)]
    return Row(
        "bridge alone against stock paho: messages a second",
        f"{number(theirs)}/s, {costs[1]:.1f} µs",
        f"{number(ours)}/s, {costs[0]:.1f} µs",
        ratio,
        Goal(4.0, at_least=True),
        notes=f"{ratio:.1f} times",
    )


def _fleet(runs: list[path.FleetMeasured]) -> Row:
    percent = statistics.median(one.whole for one in runs) * 100
    parts = ", ".join(f"{part} {statistics.median(one.share[part] for one in runs) * 100:.1f} %" for part in path.PARTS)
    return Row(
        f"{FLEET_DEVICES:,} devices, a message a second each: share of the cores",
        "",
        f"{percent:.1f} %",
        percent,
        Goal(GOAL_FLEET_PERCENT, at_least=False, unit="%"),
        notes=parts,
    )
