"""docs/benchmarks.md: a section a benchmark, between markers, so that each run rewrites its own and keeps the others."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.figure import Row, number

PAGE = Path(__file__).parents[2] / "docs/benchmarks.md"
HEAD = """# Benchmarks

Written by `make bench`; the text between the markers is replaced by the next run. Machines of this kind are noisy:
ratios were measured with baseline and hub in turns in the same minute, and the median of the rounds is shown. CPU time
(from `/proc/PID/stat`) is steadier than a rate. The raw figures are in [benchmarks/](benchmarks/).
"""
COLUMNS = ("work", "baseline", "hub", "figure", "goal", "met", "CPU µs, baseline → hub", "CPU, of the limit")


@dataclass(frozen=True, slots=True)
class Section:
    """What one benchmark has to say."""

    name: str
    title: str
    text: str
    rows: Sequence[Row]
    machine: Mapping[str, str]


def render(section: Section, day: str) -> str:
    """Return a section as Markdown."""
    facts = ", ".join(f"{name} {value}" for name, value in section.machine.items())
    notes = [f"- {row.work}: {row.notes}" for row in section.rows if row.notes]
    lines = [f"## {section.title}", "", section.text, "", f"{day}. {facts}.", "", *table(section.rows)]
    if notes:
        lines += ["", *notes]
    return "\n".join(lines)


def table(rows: Sequence[Row]) -> list[str]:
    """Return the lines of the table; a column that is empty in all rows is left out."""
    cells = [
        (row.work, row.baseline, row.ours, _figure(row), str(row.goal or ""), row.verdict, row.cpu, row.of_limit)
        for row in rows
    ]
    kept = [index for index, _ in enumerate(COLUMNS) if any(line[index] for line in cells)]
    return [
        _line([COLUMNS[index] for index in kept]),
        _line(["---"] * len(kept)),
        *(_line([line[index] for index in kept]) for line in cells),
    ]


def replace_section(page: str, name: str, text: str) -> str:
    """Put a section between its markers, at the end of the page where it has none yet."""
    begin, end = f"<!-- bench:{name} begins -->", f"<!-- bench:{name} ends -->"
    block = f"{begin}\n{text}\n{end}"
    before, found, rest = page.partition(begin)
    if not found:
        return f"{page.rstrip()}\n\n{block}\n"
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"the page has {begin} without {end}: mend it by hand")
    return f"{before}{block}{after}"


def write(section: Section, raw: object, page: Path = PAGE) -> None:
    """Write the section into the page and the raw figures beside it."""
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    text = page.read_text(encoding="utf-8") if page.exists() else HEAD
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(replace_section(text, section.name, render(section, day)), encoding="utf-8")
    data = page.parent / "benchmarks" / f"{section.name}.json"
    data.parent.mkdir(exist_ok=True)
    data.write_text(json.dumps({"day": day, "machine": section.machine, "figures": raw}, indent=1) + "\n")


def _figure(row: Row) -> str:
    unit = row.goal.unit if row.goal is not None else ""
    return f"{number(row.value)} {unit}".strip()


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
