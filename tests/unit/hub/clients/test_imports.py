"""One place of a program knows a client library."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    ("library", "homes"),
    [("paho", {"hub/clients/mqtt_client.py"}), ("stomp", {"bridge/hub/connection.py", "hub/commands/explain_live.py"})],
)
def test_a_client_library_is_imported_where_it_is_at_home(library: str, homes: set[str]) -> None:
    importers = set()
    for package in ("storage", "hub", "bridge", "device_sim"):
        for file in (ROOT / package).rglob("*.py"):
            if "node_modules" not in file.parts and _imports(file, library):
                importers.add(str(file.relative_to(ROOT)))

    assert importers == homes


def _imports(file: Path, library: str) -> bool:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        if any(name.split(".")[0] == library for name in names):
            return True
    return False
