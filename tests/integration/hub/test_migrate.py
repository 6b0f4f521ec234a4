"""`telemetry-hub migrate` as a process."""

import subprocess
from pathlib import Path

from hub.processes import child_process
from storage.migrate import known_revision
from tests.support.ports import free_port

MIGRATE = [child_process.program("telemetry-hub"), "migrate"]


def run(*options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*MIGRATE, *options], check=False, capture_output=True, text=True, timeout=60)


def test_it_brings_the_schema_up_to_date_and_may_be_repeated(tmp_path: Path) -> None:
    for _ in range(2):
        result = run("--data-dir", str(tmp_path))

        assert (0, f"{known_revision()}\n") == (result.returncode, result.stdout), result.stderr


def test_a_database_that_cannot_be_reached_is_told_in_one_line_without_its_password() -> None:
    port = free_port()

    result = run("--database-url", f"postgresql://hub:hunter2@127.0.0.1:{port}/hub")

    assert 1 == result.returncode
    assert result.stderr.startswith("telemetry-hub: storage.database_url: the database cannot be migrated")
    assert 1 == len(result.stderr.splitlines())
    assert "hunter2" not in result.stderr
