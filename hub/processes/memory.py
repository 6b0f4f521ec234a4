"""How much memory this machine, or the container around the process, has; and how much the process takes."""

import os
from pathlib import Path
from typing import Final

SHARE: Final = 4  # of the memory one fourth is for what clients make the hub keep: Postgres and the rest need some, too
LEAST: Final = 67_108_864
_CGROUPS: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_STATM: Final = Path("/proc/self/statm")


def memory_budget(wanted: int) -> int:
    """Return the bytes that clients may make the hub keep: what is wanted, or with 0 a share of what there is."""
    return wanted or max(LEAST, machine_bytes() // SHARE)


def machine_bytes() -> int:
    """Return the memory of the machine, or of its cgroup if that is less."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows
        total = 4 * 1024 * 1024 * 1024
    for path in _CGROUPS:
        try:
            text = path.read_text().strip()
        except OSError:
            continue
        if text.isdigit():  # else "max"
            total = min(total, int(text))
    return total


def resident_bytes() -> int | None:
    """Return what the process takes of the machine's memory, if the system says so quickly."""
    try:
        return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return None
