"""The server under load, seen from outside: its process by the port that it listens on, its CPU time and memory.

Only on this machine and only where there is /proc (Linux, proc(5)); for any other server these figures are left out.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from device_sim.links.address import Address

PROC: Final = Path("/proc")
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_LISTEN: Final = "0A"  # TCP_LISTEN in the fourth column of /proc/net/tcp


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used so far."""

    cpu_s: float
    rss_bytes: int


def find_server(address: Address) -> int | None:
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
    """Return what a process has used, None when it is gone."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    ticks = int(fields[11]) + int(fields[12])
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), int(fields[21]) * os.sysconf("SC_PAGE_SIZE"))


def _holds(process: Path, inodes: set[str]) -> bool:
    try:
        return any(
            target.startswith("socket:[") and target[8:-1] in inodes
            for target in (str(link.readlink()) for link in (process / "fd").iterdir())
        )
    except OSError:
        return False  # not ours to look at, or gone
