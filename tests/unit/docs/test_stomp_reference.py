"""docs/reference/stomp.md has a row for each limit with its default, each option; refusals are a page of their own."""

import re
from pathlib import Path

import pytest

from hub.broker import options
from hub.refusal import ANSWERS, Reason, page
from hub.settings.limits import Limits

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/reference/stomp.md").read_text(encoding="utf-8")
# One way to write a number of bytes, seconds or things.
UNITS = {"": 1.0, "s": 1.0, "KiB": 1024.0, "MiB": 1024.0 * 1024.0}


def rows(section: str) -> dict[str, list[str]]:
    """Return a section's table: the cells behind each row's first word."""
    text = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    body = next(part for part in text if part.startswith(f"{section}\n"))
    found = re.findall(r"^\| `([^`]+)` \| (.*) \|$", body, re.MULTILINE)
    return {name: cells.split(" | ") for name, cells in found}


def test_the_page_of_refusals_is_fresh() -> None:
    assert page() == (ROOT / "docs/reference/refusals.md").read_text(encoding="utf-8"), "run `make docs`"


def test_reasons_that_the_page_names_exist() -> None:
    named = set(re.findall(r"ERROR `([A-Z][^`]+)`", PAGE))
    assert named <= {reason.value for reason in Reason}


def test_each_limit_has_its_row_and_each_row_its_limit() -> None:
    assert list(Limits.model_fields) == list(rows("Limits"))


@pytest.mark.parametrize("name", list(Limits.model_fields))
def test_each_limit_has_its_default(name: str) -> None:
    number, _, unit = rows("Limits")[name][0].partition(" ")
    assert getattr(Limits(), name) == float(number.replace(",", "")) * UNITS[unit]


def test_each_option_of_a_subscription_has_its_row() -> None:
    documented = {name for name, cells in rows("Extension headers").items() if cells[0] == "SUBSCRIBE"}
    described = set(re.findall(r"^([a-z-]+)  ", options.__doc__ or "", re.MULTILINE)) - {"ack"}
    assert described == documented


def test_limits_that_a_refusal_names_exist() -> None:
    meanings = " ".join(answer.meaning for answer in ANSWERS.values())
    assert set(re.findall(r"`limits\.([a-z_]+)`", meanings)) <= set(Limits.model_fields)


def test_options_of_other_brokers_are_in_the_table_of_who_comes_from_there() -> None:
    section = PAGE.partition("## Coming from")[2].partition("\n## ")[0]
    missing = [name for name in options.FOREIGN if f"`{name}`" not in section and "durable-subscriber" not in name]
    assert [] == missing
