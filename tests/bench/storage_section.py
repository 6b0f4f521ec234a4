"""The section "Storage": the programs storage_*.py, each run with `--json`, their figures against the goals.

A program writes one flat JSON object; its numbers are shown, those that a goal is known for first. A quick run takes only
programs that are known to have a short form.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.bench import machine
from tests.bench.effort import Effort
from tests.bench.figure import Goal, Row, number
from tests.bench.report import Section

HERE = Path(__file__).parent
DEADLINE_S = 1_800.0
TEXT = """\
The writer and the queries against the embedded Postgres, in a process of their own; what each figure means stands at the
head of the program (`tests/bench/storage_*.py`)."""
GOALS = {
    "store_to_bare": Goal(0.85, at_least=True),
    "client_cpu_us_per_reading": Goal(0.5, at_least=False, unit="µs"),
    "repeats_to_store": Goal(0.7, at_least=True),
    "latest_of_1000_series_ms": Goal(60, at_least=False, unit="ms"),
    "raw_of_24_hours_ms": Goal(25, at_least=False, unit="ms"),
    "buckets_of_30_days_ms": Goal(25, at_least=False, unit="ms"),
    "fleet_view_ms": Goal(150, at_least=False, unit="ms"),
    "latest_of_1000_series_to_bare": Goal(1.5, at_least=False),
    "raw_of_24_hours_to_bare": Goal(1.5, at_least=False),
    "buckets_of_30_days_to_bare": Goal(1.5, at_least=False),
    "fleet_view_to_bare": Goal(1.5, at_least=False),
    "ingest_loaded_to_alone": Goal(0.8, at_least=True),
}
QUICK = {
    "storage_writer": ("--rows", "60000", "--rounds", "1"),
    "storage_queries": ("--points", "300", "--rounds", "3", "--ingest-rounds", "1", "--seconds", "2"),
}


def programs() -> list[str]:
    """Return the names of the storage benchmarks."""
    return sorted(path.stem for path in HERE.glob("storage_*.py") if path.stem != Path(__file__).stem)


def rows(name: str, figures: Mapping[str, object]) -> list[Row]:
    """Return a program's figures, those with goals first; what is no number stays in the raw file."""
    work = name.removeprefix("storage_")
    numbers = [(key, float(value)) for key, value in figures.items() if isinstance(value, int | float)]
    ordered = sorted(numbers, key=lambda item: item[0] not in GOALS)
    return [Row(f"{work}: {key}", "", number(value), value, GOALS.get(key)) for key, value in ordered]


def run(effort: Effort, directory: Path) -> tuple[Section, object]:
    """Run all of them."""
    facts = machine.facts()
    found: list[Row] = []
    raw: dict[str, dict[str, object]] = {}
    for name in programs():
        if not effort.wants(name) or (effort.quick and name not in QUICK):
            continue
        target = directory / f"{name}.json"
        options = QUICK[name] if effort.quick else ()
        print(f"{name} …", flush=True)
        command = [sys.executable, "-m", f"tests.bench.{name}", "--json", str(target), *options]
        subprocess.run(command, check=True, timeout=DEADLINE_S)
        raw[name] = json.loads(target.read_text())
        found += rows(name, raw[name])
    return Section("storage", "Storage", TEXT, found, facts), raw
