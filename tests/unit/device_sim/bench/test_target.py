"""The server under load is found by its port, and its CPU time and memory are read."""

import os
import socket
import subprocess
import sys

from device_sim.bench.target import family, find_server, listening_inodes, usage
from device_sim.links.identity import parse_address

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1 0000 100 0 0 10 0
   1: 0100007F:1F90 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 12346 1 0000 100 0 0 10 0
   2: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12347 1 0000 100 0 0 10 0
"""


def test_only_sockets_that_listen_on_the_port_count() -> None:
    assert listening_inodes(TABLE, 8080) == {"12345"}
    assert listening_inodes(TABLE, 8082) == set()


def test_this_process_is_found_by_a_port_of_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = parse_address(f"ws://127.0.0.1:{server.getsockname()[1]}/ws", "ws", "--against")

        assert find_server(address) == os.getpid()


def test_a_server_elsewhere_is_not_looked_for() -> None:
    assert find_server(parse_address("ws://192.0.2.1:80/ws", "ws", "--against")) is None


def test_usage_of_a_process() -> None:
    used = usage(os.getpid())

    assert used is not None
    assert used.cpu_s > 0
    assert used.rss_bytes > 1_000_000
    assert usage(2**22 + 1) is None


def test_a_family_is_everybody_below_and_nobody_else() -> None:
    assert family({1: 0, 10: 1, 11: 10, 12: 11, 20: 1}, 10) == {10, 11, 12}


def test_what_a_server_started_counts_as_its_own() -> None:
    """While it runs by its memory, and when it has ended by its CPU time."""
    before = usage(os.getpid())
    program = "sum(range(6_000_000)); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        running = usage(os.getpid())
        child.communicate(b"\n")
    after = usage(os.getpid())

    assert before is not None
    assert running is not None
    assert after is not None
    assert running.rss_bytes > before.rss_bytes + 2_000_000
    assert after.cpu_s >= before.cpu_s + 0.02
