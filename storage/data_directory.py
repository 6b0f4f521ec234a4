"""The data directory of one process: made, checked and kept to itself, as long as that process lives.

The lock is the kernel's (flock) on a file that names its holder; a file that a crash left behind locks nothing. Programs
that we start do not inherit it. Where a file system knows no locks, the hub says so and goes on.
"""

import errno
import fcntl
import os
from pathlib import Path
from typing import Final

import structlog

from storage.errors import DataDirectoryError, InUseError

log = structlog.get_logger(__name__)

LOCK_FILE: Final = "lock"
_HELD: Final = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES})


class Claim:
    """A held data directory."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Let others have it; safe to call twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def claim(data_dir: Path) -> Claim:
    """Make the directory and keep it; raises InUseError, or DataDirectoryError when it cannot be used."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(data_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DataDirectoryError(
            data_dir, f"cannot be written: {error.strerror}; let this user in, or choose another --data-dir"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD:
            pid = _pid(descriptor)
            os.close(descriptor)
            raise InUseError(data_dir, pid) from None
        log.warning("data_dir_not_locked", data_dir=str(data_dir), problem=error.strerror)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return Claim(descriptor)


def _pid(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0).strip()
    return int(text) if text.isdigit() else None
