"""One process a data directory."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from storage.data_directory import LOCK_FILE, claim
from storage.errors import DataDirectoryError, InUseError

HOLDER = """
import sys, time
from pathlib import Path
from storage.data_directory import claim
held = claim(Path(sys.argv[1]))
import subprocess
child = subprocess.Popen(["sleep", "30"])
print(child.pid, flush=True)
time.sleep(60)
"""


def test_a_second_process_is_refused_with_the_pid_of_the_first_until_that_is_dead(tmp_path: Path) -> None:
    """Killed, it leaves its file and a child behind, and neither keeps the directory."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        child = int(first.stdout.readline())
        try:
            with pytest.raises(InUseError, match=f"process {first.pid} is using it"):
                claim(tmp_path)
            first.kill()
            first.wait()

            claim(tmp_path).release()
        finally:
            os.kill(child, signal.SIGKILL)


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    held = claim(tmp_path / "data directory with ü")

    assert 0o600 == (tmp_path / "data directory with ü" / LOCK_FILE).stat().st_mode & 0o777
    held.release()


@pytest.mark.parametrize("below", ["file", "file/below", "/proc/nowhere"])
def test_where_nothing_can_be_written_is_told(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(DataDirectoryError, match=r"cannot be written: .*choose another --data-dir"):
        claim(tmp_path / below)
