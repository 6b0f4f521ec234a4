"""The server under load, seen from outside: its process by the port that it listens on, its CPU time and memory.

What it started belongs to it: RabbitMQ's helpers, and a database that a hub runs itself.
Only on this machine and only where there is /proc (Linux, proc(5)); for any other server these figures are left out.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hub.clients.endpoint import Endpoint

PROC: Final = Path("/proc")
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_LISTEN: Final = "0A"  # TCP_LISTEN in the fourth column of /proc/net/tcp


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process and all below it have used so far."""

    cpu_s: float
    rss_bytes: int


def find_server(address: Endpoint) -> int | None:
    """Return the process id that listens on a loopback address, None where that cannot be known."""
    if address.host not in LOOPBACK or not PROC.exists():
        return None
    inodes = {
        inode
        for table in ("net/tcp", "net/tcp6")
        if (PROC / table).exists()
        for inode in listening_inodes((PROC / table).read_text(), address.port)
    }
    for path in PROC.iterdir():
        if path.name.isdigit() and _holds(path, inodes):
            return int(path.name)
    return None


def listening_inodes(table: str, port: int) -> set[str]:
    """Return the inodes of the sockets that listen on `port`, from the text of /proc/net/tcp."""
    found = set()
    for line in table.splitlines()[1:]:
        columns = line.split()
        if columns[3] == _LISTEN and int(columns[1].rpartition(":")[2], 16) == port:
            found.add(columns[9])
    return found


def usage(pid: int) -> Usage | None:
    """Return what a process and all below it have used, None when it is gone."""
    stats = {int(path.name): fields for path in PROC.iterdir() if path.name.isdigit() and (fields := _stat(path))}
    if pid not in stats:
        return None
    members = family({one: int(fields[1]) for one, fields in stats.items()}, pid)
    # utime, stime; of children that ended and were waited for cutime, cstime.
    ticks = sum(int(ticks) for member in members for ticks in stats[member][11:15])
    pages = sum(int(stats[member][21]) for member in members)
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE"))


def family(parents: Mapping[int, int], root: int) -> set[int]:
    """Return a process and all that descend from it."""
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _stat(process: Path) -> list[str] | None:
    """Return the fields of /proc/PID/stat behind the name, which may hold spaces; None when the process is gone."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _holds(process: Path, inodes: set[str]) -> bool:
    try:
        return any(
            target.startswith("socket:[") and target[8:-1] in inodes
            for target in (str(link.readlink()) for link in (process / "fd").iterdir())
        )
    except OSError:
        return False  # not ours to look at, or gone
