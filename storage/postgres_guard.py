"""A tiny process between the owner of an embedded Postgres and its postmaster; a script that imports nothing of ours.

What it does: takes the data directory's lock, leaves uid 0 behind (Postgres refuses it), starts the command, and stops
it when the owner asks or dies. The owner holds the write end of a pipe; end of file on it means either. A pipe works
from any thread and on any Unix, where a parent-death signal is bound to the thread that forked.

What it is not: a supervisor. When the postmaster dies, the guard exits with it; starting again is the owner's decision.

Identities: `same` (not root), `namespace:<uid>` (a user namespace in which our uid 0 is seen as that uid; no file
changes its owner and no path must be opened to others), `drop:<uid>` (where namespaces are forbidden: an unprivileged
uid that keeps the capability to read past directory permissions, so that a checkout below a 0700 home works).

Usage: postgres_guard.py run <identity> -- command... | guard <identity> <pipe fd> <lock file> -- command...
"""

import contextlib
import ctypes
import fcntl
import os
import select
import signal
import subprocess
import sys
import time

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_SET_SECUREBITS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 28, 47, 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
LINUX_CAPABILITY_VERSION_3 = 0x20080522
LOCK_DEADLINE_S = 40.0
FAST_STOP_S = 30.0
EXIT_LOCKED = 75  # EX_TEMPFAIL


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result != 0:
        errno = ctypes.get_errno()
        raise OSError(errno, os.strerror(errno))


def enter_namespace(seen_as: int) -> None:
    """Make uid 0 appear as the ordinary uid `seen_as` to this process and its children."""
    uid, gid = os.geteuid(), os.getegid()
    _check(_libc().unshare(CLONE_NEWUSER))
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{seen_as} {uid} 1"),
        ("gid_map", f"{seen_as} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123 - no imports for start-up time
            file.write(text)
    if os.geteuid() != seen_as:
        raise OSError(f"the user namespace shows uid {os.geteuid()}, not {seen_as}")


def drop_to(uid: int) -> None:
    """Become `uid` for good, keeping only the right to pass directory permissions."""
    libc = _libc()
    # Without this bit access(2), which initdb asks about its own binaries, would not count the capabilities.
    if libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) != 0:
        _check(libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    caps = 1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH
    for wanted in (caps, 1 << CAP_DAC_OVERRIDE):  # a container may grant the first capability only
        header = (ctypes.c_uint32 * 2)(LINUX_CAPABILITY_VERSION_3, 0)
        data = (ctypes.c_uint32 * 6)(wanted, wanted, wanted, 0, 0, 0)
        if libc.capset(header, data) != 0:
            continue
        for cap in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            if wanted >> cap & 1:
                libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0)
        return


def take_identity(identity: str) -> None:
    kind, _, argument = identity.partition(":")
    if kind == "namespace":
        enter_namespace(int(argument))
    elif kind == "drop":
        drop_to(int(argument))


def take_lock(path: str) -> None:
    """Hold the data directory for this process's life; wait while an earlier server is still stopping."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + LOCK_DEADLINE_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > deadline:
                sys.exit(EXIT_LOCKED)
            time.sleep(0.05)
        else:
            return


def clear_orphan(data_dir: str) -> None:
    """Remove a postmaster.pid that a crash left behind.

    Under the lock no guard serves this directory. So the pid is either an orphan postmaster, which is stopped, or
    names a process that has nothing to do with us (pids repeat quickly in containers), which must not block the start.
    """
    path = os.path.join(data_dir, "postmaster.pid")  # noqa: PTH118
    try:
        with open(path, encoding="ascii", errors="replace") as file:  # noqa: PTH123
            pid = int(file.readline())
    except (OSError, ValueError):
        return
    for signum, patience_s in ((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
        deadline = time.monotonic() + patience_s
        if _is_postmaster_of(pid, data_dir):
            os.kill(pid, signum)
        while _is_postmaster_of(pid, data_dir) and time.monotonic() < deadline:
            time.sleep(0.02)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108


def _is_postmaster_of(pid: int, data_dir: str) -> bool:
    try:
        return os.path.samefile(f"/proc/{pid}/cwd", data_dir)  # noqa: PTH121 - the postmaster lives in its directory
    except OSError:
        return False


def die_with_guard() -> None:
    """On Linux the postmaster also gets a fast-shutdown signal when the guard itself is killed."""
    if sys.platform == "linux":
        _libc().prctl(PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)


def guard(identity: str, pipe: int, lock_path: str, command: list[str]) -> int:
    take_lock(lock_path)
    clear_orphan(command[command.index("-D") + 1])
    take_identity(identity)
    stop_asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda signum, _: stop_asked.append(signum))
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=die_with_guard)  # noqa: PLW1509 - one thread
    while child.poll() is None and not stop_asked:
        # A signal does not end select() (PEP 475): it is seen within the interval.
        owner_gone, _, _ = select.select([pipe], [], [], 0.1)
        if owner_gone:
            break
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(FAST_STOP_S)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGQUIT)
    return child.wait()


def main(arguments: list[str]) -> int:
    mode = arguments[0]
    command = arguments[arguments.index("--") + 1 :]
    if mode == "run":
        take_identity(arguments[1])
        os.execv(command[0], command)  # noqa: S606 - no shell is meant
    return guard(arguments[1], int(arguments[2]), arguments[3], command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
