"""The section "Whole path": what a message of three metrics costs in each part, and that none was lost."""

import statistics
from pathlib import Path

from tests.bench import machine, path
from tests.bench.effort import Effort
from tests.bench.figure import Goal, Row, number
from tests.bench.report import Section

TEXT = """\
`mqtt_flood.py` at QoS 1 (1,000 devices, three metrics a message, at most 5,000 unacknowledged) → nats-server → bridge →
hub → embedded Postgres, `synchronous_commit` on, nothing pinned: all of it and the load share the cores. CPU is each
part's time a message, until the last reading was committed. A PUBACK here is the broker's; that each message it
acknowledged was stored is counted in the database, series by series."""
# Reference: the sketch that the design was decided on (performance reference, section 1.2).
SKETCH = {"bridge": 2.1, "hub": 3.7, "Postgres": 6.3, "broker": 18.0}
SKETCH_WITH_DASHBOARDS = {"hub": 16.0}
QUICK_SECONDS, LEAST_SECONDS = 2.0, 8.0


def run(effort: Effort, directory: Path) -> tuple[Section, object]:
    """Measure without and with dashboards, and the stock subscriber beside."""
    facts = machine.facts()
    seconds = QUICK_SECONDS if effort.quick else max(effort.seconds, LEAST_SECONDS)
    rounds = min(effort.rounds, 3)
    plain: list[path.Measured] = []
    watched: list[path.Measured] = []
    stock: list[float] = []
    for number_of_round in range(rounds):
        at = directory / str(number_of_round)
        stock.append(path.stock(at / "stock", seconds))
        for runs, dashboards in ((plain, 0), (watched, path.DASHBOARDS)):
            runs.append(path.drive(at / f"dashboards-{dashboards}", seconds, dashboards))
            print(runs[-1], flush=True)
    rows = [*_rows(plain, "", SKETCH, stock), *_rows(watched, ", 10 dashboards", SKETCH_WITH_DASHBOARDS, [])]
    raw = {"stock_paho_cpu_us": stock, "plain": path.raw(plain), "ten_dashboards": path.raw(watched)}
    return Section("path", "Whole path", TEXT, rows, facts), raw


def _rows(runs: list[path.Measured], suffix: str, sketch: dict[str, float], stock: list[float]) -> list[Row]:
    rate = statistics.median(one.messages_per_s for one in runs)
    lost = sum(one.lost for one in runs)
    acknowledged = sum(one.acknowledged for one in runs)
    rows = [
        Row(f"messages a second{suffix}", "", f"{number(rate)}/s", rate, None),
        Row(
            f"readings lost{suffix}",
            "",
            f"{lost} of {acknowledged * 3:,}",
            lost,
            Goal(0, at_least=False, unit="readings"),
        ),
    ]
    for part in path.PARTS:
        cost = statistics.median(one.cpu_us[part] for one in runs)
        baseline = f"sketch: {sketch[part]} µs" if part in sketch else ""
        if part == "bridge" and stock:
            baseline += f", stock paho: {statistics.median(stock):.1f} µs"
        rows.append(Row(f"{part}: CPU a message{suffix}", baseline, f"{cost:.1f} µs", cost, None))
    return rows
