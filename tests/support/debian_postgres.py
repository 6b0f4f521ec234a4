"""Debian's Postgres binaries, for tests that must hold on an ordinary installation too."""

from pathlib import Path

from tests.support.programs import missing


def debian_binaries() -> Path:
    """Return the directory of an installed `postgres`, the oldest version first; skip or fail when there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise missing("needs Debian's Postgres; on Debian and Ubuntu: apt-get install postgresql")
    return found[0].parent
