import json
from pathlib import Path

import pytest

from tests.bench import report
from tests.bench.figure import Goal, Row
from tests.bench.report import Section, render, replace_section, table

ROWS = [
    Row("one", "10/s", "900/s", 90.0, Goal(90, at_least=True), notes="the load was the limit."),
    Row("two", "", "2 µs", 2.0, None),
]
SECTION = Section("fanout", "Fan-out", "How.", ROWS, {"cores": "2"})


def test_the_table_leaves_out_columns_that_nobody_fills() -> None:
    assert [
        "| work | baseline | hub | figure | goal | met |",
        "| --- | --- | --- | --- | --- | --- |",
        "| one | 10/s | 900/s | 90 times | ≥ 90 times | yes |",
        "| two |  | 2 µs | 2 |  |  |",
    ] == table(ROWS)


def test_a_section_names_machine_day_and_notes() -> None:
    text = render(SECTION, "2026-11-20")
    assert "2026-11-20. cores 2." in text
    assert text.endswith("- one: the load was the limit.")


def test_a_run_rewrites_its_own_section_and_no_other() -> None:
    page = replace_section(replace_section("# Head\n", "fanout", "old"), "path", "other")
    again = replace_section(page, "fanout", "new")
    assert page.replace("old", "new") == again


def test_half_a_section_is_refused() -> None:
    with pytest.raises(ValueError, match="without"):
        replace_section("<!-- bench:fanout begins -->\ntext", "fanout", "new")


def test_page_and_raw_figures_are_written(tmp_path: Path) -> None:
    page = tmp_path / "docs" / "benchmarks.md"
    report.write(SECTION, {"one": [1.5]}, page)
    first = page.read_text()
    report.write(SECTION, {"one": [1.5]}, page)
    assert first == page.read_text()
    assert first.startswith("# Benchmarks")
    assert [1.5] == json.loads((tmp_path / "docs/benchmarks/fanout.json").read_text())["figures"]["one"]
