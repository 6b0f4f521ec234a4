"""The supervisor with real child processes."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from hub.errors import ChildFailedError
from hub.processes.supervisor import Supervisor
from tests.support.waiting import wait_for

SERVES = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('{"n": 1}')))
print("ready http://127.0.0.1:1", flush=True)
signal.pause()
"""


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_child_becomes_ready_and_its_last_line_is_returned_when_it_is_stopped(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        child = supervisor.start("hub", python(SERVES))

        assert ["http://127.0.0.1:1"] == child.wait_ready(10)
        supervisor.check()
        assert '{"n": 1}' == supervisor.stop(child)


def test_a_child_that_ends_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        child = supervisor.start("bridge", python("import sys; sys.exit('no broker at 127.0.0.1:1883')"))

        with pytest.raises(ChildFailedError, match=r"(?s)bridge: ended .* status 1.*no broker at 127.0.0.1:1883"):
            child.wait_ready(10)
        with pytest.raises(ChildFailedError):
            supervisor.check()


def test_a_child_that_is_not_ready_in_time_is_reported(tmp_path: Path) -> None:
    with (
        Supervisor(tmp_path) as supervisor,
        pytest.raises(ChildFailedError, match="not ready within 0 s"),
    ):
        supervisor.start("hub", python("import signal; signal.pause()")).wait_ready(0.1)


def test_a_child_that_is_discarded_ends_and_is_watched_no_longer_even_one_that_failed(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        failed = supervisor.start("hub", python("raise SystemExit(1)"))
        serving = supervisor.start("bridge", python(SERVES))
        serving.wait_ready(10)
        failed.process.wait(10)

        for child in (serving, failed):
            supervisor.discard(child)

        assert serving.process.returncode is not None
        supervisor.check()


def test_leaving_ends_every_child(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        processes = [psutil.Process(supervisor.start(f"{n}", python(SERVES)).process.pid) for n in range(3)]

    assert all(gone(process) for process in processes)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_children_die_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    program = """
import pathlib, sys
from hub.processes.supervisor import Supervisor
with Supervisor(pathlib.Path(sys.argv[1])) as supervisor:
    child = supervisor.start("hub", [sys.executable, "-c", sys.argv[2]])
    child.wait_ready(10)
    print(child.process.pid, flush=True)
    sys.stdin.read()
"""
    command = [*python(program), str(tmp_path), SERVES]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        child = psutil.Process(int(owner.stdout.readline()))

        owner.send_signal(signal.SIGKILL)

    wait_for(lambda: gone(child))
