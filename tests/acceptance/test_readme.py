"""The README's two examples, as they stand there, against a running demo; only the port differs."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.demo import RunningDemo, running_demo
from tests.support.programs import require_node

ROOT = Path(__file__).parents[2]
NODE_MODULES = ROOT / "hub/dashboard/node_modules"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    with running_demo(tmp_path_factory.mktemp("demo"), "--devices", "5", "--rate", "20") as demo:
        yield demo


def example(language: str, demo: RunningDemo) -> str:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (text,) = re.findall(rf"^```{language}\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    assert "8080" in text
    assert len([line for line in text.splitlines() if line.strip()]) <= 12
    return str(text).replace("8080", str(demo.port))


def first_line(command: list[str], cwd: Path) -> str:
    """Run until it prints a line."""
    with subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        process.kill()
        assert line, process.stderr.read()
        return line


def test_the_stomp_py_example_prints_readings(demo: RunningDemo, tmp_path: Path) -> None:
    (tmp_path / "watch.py").write_text(example("python", demo))

    line = first_line([sys.executable, "watch.py"], tmp_path)

    assert re.match(r'/topic/readings/sim-\d+/\w+ \{"device":"sim-', line)


def test_the_stompjs_example_prints_readings(demo: RunningDemo, tmp_path: Path) -> None:
    node = require_node()
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    (tmp_path / "watch.mjs").write_text(example("js", demo))

    line = first_line([node, "watch.mjs"], tmp_path)

    assert re.match(r"sim-\d+ \w+ -?[\d.]+ \S+", line)
