"""The pages about scenarios against the program: schema, tables, and the example runs."""

import json
from pathlib import Path

import pytest

from device_sim.scenario.load import parse_scenario
from device_sim.scenario.schema import MARK, schema, tables

DOCS = Path(__file__).parents[3] / "docs" / "reference"
PAGE = (DOCS / "scenario.md").read_text(encoding="utf-8")


def test_the_published_schema_is_the_models() -> None:
    published = (DOCS / "scenario.schema.json").read_text(encoding="utf-8")

    assert schema() == published, "run `make docs`"


def test_the_schema_is_json_that_names_every_table() -> None:
    document = json.loads(schema(), parse_constant=pytest.fail)

    assert {"Stage", "DeviceClass", "DashboardClass", "Burst", "GpsTrack"} <= document["$defs"].keys()


def test_the_tables_are_the_models() -> None:
    _, _, generated = PAGE.partition(MARK)

    assert f"\n{tables()}" == generated, "run `make docs`"


def test_every_key_says_what_it_means() -> None:
    assert "| None" not in tables()


def test_the_example_of_the_page_is_a_scenario() -> None:
    [example] = [block.partition("```")[0] for block in PAGE.split("```toml\n")[1:]]

    assert parse_scenario(example, "page", DOCS).counts == [2]
