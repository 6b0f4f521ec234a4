"""docs/reference/stomp.md has a row for each limit with its default, each ERROR that the source can send, each option."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.broker import options
from hub.settings.limits import Limits

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/reference/stomp.md").read_text(encoding="utf-8")
ERRORS = {"FrameError", "SessionError", "StompError"}
# One way to write a number of octets, seconds or things.
UNITS = {"": 1.0, "s": 1.0, "KiB": 1024.0, "MiB": 1024.0 * 1024.0}


def rows(section: str) -> dict[str, list[str]]:
    """Give a section's table: the cells behind each row's first word."""
    text = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    body = next(part for part in text if part.startswith(f"{section}\n"))
    found = re.findall(r"^\| `([^`]+)` \| (.*) \|$", body, re.MULTILINE)
    return {name: cells.split(" | ") for name, cells in found}


def raised() -> Iterator[str]:
    """Give the summary of each error that the source makes."""
    for path in (ROOT / "hub").rglob("*.py"):
        if "node_modules" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS:
                summary = node.args[0]
                assert isinstance(summary, ast.Constant), f"{path}:{node.lineno}: the summary is a fixed text"
                yield str(summary.value)


def test_each_error_has_its_row_and_each_row_its_error() -> None:
    assert sorted(set(raised())) == sorted(rows("Errors"))


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


def test_limits_that_an_error_names_exist() -> None:
    named = {name for cells in rows("Errors").values() for name in re.findall(r"`([a-z_]+_[a-z]+)`", cells[-1])}
    assert named <= set(Limits.model_fields)
