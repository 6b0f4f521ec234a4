"""CPU time and memory of running processes, from /proc (Linux only; proc(5)).

CPU time is what the kernel charged, in seconds with a grain of 10 ms: measure for seconds, not for milliseconds.
"""

import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Stat:
    """What /proc/PID/stat says, times in clock ticks."""

    parent: int
    own_ticks: int  # user and system
    reaped_ticks: int  # of children that ended and were waited for


def parse_stat(text: str) -> Stat:
    """Parse a line of /proc/PID/stat. The name in parentheses may hold spaces and parentheses itself."""
    fields = text.rpartition(")")[2].split()
    return Stat(int(fields[1]), int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14]))


def parse_memory(status: str, field: str = "VmRSS") -> int:
    """Return a field of /proc/PID/status in bytes; 0 where it is absent."""
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    return 0


def family(stats: dict[int, Stat], root: int) -> set[int]:
    """Return a process and all that descend from it."""
    found = {root}
    while True:
        more = {pid for pid, stat in stats.items() if stat.parent in found} - found
        if not more:
            return found
        found |= more


def family_pids(pid: int) -> set[int]:
    """Return a running process and its descendants."""
    return family(_all_stats(), pid)


def cpu_s(pid: int) -> float:
    """Return the CPU time of one process."""
    return parse_stat((_PROC / str(pid) / "stat").read_text()).own_ticks / os.sysconf("SC_CLK_TCK")


def family_cpu_s(pid: int) -> float:
    """Return the CPU time of a process, its descendants, and those of them that have ended."""
    stats = _all_stats()
    ticks = sum(stats[member].own_ticks + stats[member].reaped_ticks for member in family(stats, pid) & stats.keys())
    return ticks / os.sysconf("SC_CLK_TCK")


def rss_bytes(pid: int) -> int:
    """Return the resident memory of one process."""
    return parse_memory((_PROC / str(pid) / "status").read_text())


def _all_stats() -> dict[int, Stat]:
    stats: dict[int, Stat] = {}
    for path in _PROC.iterdir():
        if path.name.isdigit():
            try:
                stats[int(path.name)] = parse_stat((path / "stat").read_text())
            except OSError:
                continue  # it ended while we looked
    return stats
