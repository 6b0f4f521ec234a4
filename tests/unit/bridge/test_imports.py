"""One place knows each client library."""

import ast
from pathlib import Path

import pytest

import bridge


@pytest.mark.parametrize(("library", "home"), [("paho", "client.py"), ("stomp", "connection.py")])
def test_a_client_library_is_imported_in_one_file(library: str, home: str) -> None:
    importers = set()
    for file in Path(bridge.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            if any(name.split(".")[0] == library for name in names):
                importers.add(file.name)

    assert importers == {home}
