import os
import subprocess
import sys

from tests.bench.process import Stat, cpu_s, family, family_cpu_s, parse_memory, parse_stat, rss_bytes

# proc(5): pid, name, state, parent, …; fields 14 to 17 are utime, stime, cutime, cstime.
LINE = "42 (a b) (c) S 7 42 42 0 -1 4194304 1 2 3 4 150 25 10 5 20 0 1 0 100 1000 200"


def test_a_stat_line_is_parsed_whatever_the_name_holds() -> None:
    assert Stat(parent=7, own_ticks=175, reaped_ticks=15) == parse_stat(LINE)


def test_memory_is_in_octets_and_zero_where_absent() -> None:
    status = "Name:\tpython\nVmRSS:\t  2048 kB\nThreads:\t1\n"
    assert 2048 * 1024 == parse_memory(status)
    assert 0 == parse_memory(status, "VmSwap")


def test_a_family_is_everybody_below_and_nobody_else() -> None:
    parents = {1: 0, 10: 1, 11: 10, 12: 11, 20: 1}
    stats = {pid: Stat(parent, 0, 0) for pid, parent in parents.items()}
    assert {10, 11, 12} == family(stats, 10)


def test_time_of_a_child_that_ended_stays_in_the_family() -> None:
    before = family_cpu_s(os.getpid())
    subprocess.run([sys.executable, "-c", "sum(range(6_000_000))"], check=True)
    assert family_cpu_s(os.getpid()) >= before + 0.02
    assert cpu_s(os.getpid()) > 0
    assert rss_bytes(os.getpid()) > 1_000_000
