"""The table of broad excepts in `explanation/architecture.md` names those that the code has, and no others."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/explanation/architecture.md"
PACKAGES = ("storage", "hub", "bridge", "device_sim")
BROAD = {"Exception", "BaseException"}


def names(expression: ast.expr) -> set[str]:
    """The classes that are named there: alone, in a tuple, or as an attribute (`builtins.Exception`)."""
    nodes = list(ast.walk(expression))
    return {node.id for node in nodes if isinstance(node, ast.Name)} | {
        node.attr for node in nodes if isinstance(node, ast.Attribute)
    }


def is_suppress(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and "suppress" in names(node.func)


def broad_places(source: str) -> Iterator[ast.AST]:
    """Handlers of everything, and `contextlib.suppress` of it, which is one by another name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ExceptHandler) and (node.type is None or names(node.type) & BROAD):
            yield node
        if isinstance(node, ast.Call) and is_suppress(node) and any(names(argument) & BROAD for argument in node.args):
            yield node


def listed() -> Counter[str]:
    section = PAGE.read_text(encoding="utf-8").partition("## Where errors are caught broadly")[2].partition("\n## ")[0]
    first_column = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    found = re.findall(r"`([\w/]+\.py)`(?: \((\d+)\))?", " ".join(first_column))
    return Counter({path: int(number or 1) for path, number in found})


def in_code() -> Counter[str]:
    files = [
        path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "node_modules" not in path.parts
    ]
    counts = {str(path.relative_to(ROOT)): len(list(broad_places(path.read_text(encoding="utf-8")))) for path in files}
    return Counter({path: number for path, number in counts.items() if number})


def test_the_page_lists_each_broad_except_of_the_code_and_no_other() -> None:
    assert listed() == in_code(), f"catch a narrower type, or say in {PAGE.relative_to(ROOT)} why it is a border"


@pytest.mark.parametrize(
    ("handler", "number"),
    [
        ("except Exception: pass", 1),
        ("except BaseException as error: raise", 1),
        ("except: pass", 1),
        ("except (ValueError, Exception): pass", 1),
        ("except builtins.BaseException: pass", 1),
        ("except* Exception: pass", 1),
        ("except ValueError: pass\nexcept Exception: pass", 1),
        ("except ValueError: pass", 0),
        ("except ExceptionGroup: pass", 0),
    ],
)
def test_each_way_to_catch_everything_is_found(handler: str, number: int) -> None:
    assert len(list(broad_places(f"try: pass\n{handler}"))) == number


def test_suppressing_everything_is_found_too() -> None:
    assert len(list(broad_places("with contextlib.suppress(Exception): pass"))) == 1
    assert len(list(broad_places("with suppress(OSError, BaseException): pass"))) == 1
    assert len(list(broad_places("with contextlib.suppress(OSError): pass"))) == 0
