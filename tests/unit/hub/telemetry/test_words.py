"""Each word for what became of a payload is explained, once, and the page is what the tables say."""

import ast
from pathlib import Path

from bridge.relay import intake
from hub.telemetry.decoders import chirpstack, ttn
from hub.telemetry.words import BRIDGE_REASONS, REASONS, SKIPPED, STORAGE_REASONS, TOLERATED, page

ROOT = Path(__file__).parents[4]
SOURCES = sorted((ROOT / "hub/telemetry").rglob("*.py"))
METHODS = {"skip": SKIPPED, "tolerate": TOLERATED, "fault": REASONS, "PayloadError": REASONS}


def said() -> dict[str, set[str]]:
    """Return the words that stand in calls of these names, wherever a part of the argument is a literal."""
    found: dict[str, set[str]] = {name: set() for name in METHODS}
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in METHODS:
                found[name] |= {
                    part.value
                    for part in ast.walk(node.args[0])
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                }
    return found


def test_every_word_that_the_code_says_is_explained() -> None:
    for name, words in said().items():
        assert words - METHODS[name].keys() <= {"."}, name


def test_every_table_of_kinds_is_explained() -> None:
    for table in (chirpstack.NO_READINGS, ttn.NO_READINGS):
        assert set(table.values()) <= SKIPPED.keys()


def test_no_word_is_explained_that_the_code_never_says() -> None:
    text = "\n".join(source.read_text(encoding="utf-8") for source in SOURCES if source.name != "words.py")

    for table in (REASONS, SKIPPED, TOLERATED):
        assert [word for word in table if f'"{word}"' not in text] == []


def test_every_reason_of_the_storage_is_one_that_it_says() -> None:
    text = "\n".join(source.read_text(encoding="utf-8") for source in (ROOT / "storage").glob("*.py"))

    assert [word for word in STORAGE_REASONS if f'"{word}"' not in text] == []


def test_every_reason_of_the_bridge_is_explained() -> None:
    assert BRIDGE_REASONS.keys() == set(intake.REASONS)


def test_a_word_stands_in_one_table() -> None:
    assert len({*REASONS, *SKIPPED, *TOLERATED}) == len(REASONS) + len(SKIPPED) + len(TOLERATED)


def test_the_page_is_fresh() -> None:
    written = (ROOT / "docs/reference/words.md").read_text(encoding="utf-8")

    assert written == "\n".join(page()) + "\n", "make docs"
