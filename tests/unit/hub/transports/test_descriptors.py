"""How many connections fit into the limit of open files; each test changes the limit of a process of its own."""

import subprocess
import sys

import pytest

CODE = """
import resource, sys
soft, hard, wanted = (int(text) for text in sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
from hub.errors import HubError
from hub.transports.descriptors import fitting_connections
try:
    print(fitting_connections(wanted), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
except HubError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "said"),
    [
        (1_024, 1_024, 10_000, "864 1024"),
        (1_024, 4_096, 1_000, "1000 1160"),  # raised as far as needed
        (1_024, 2_048, 10_000, "1888 2048"),
        (4_096, 4_096, 100, "100 4096"),
    ],
)
def test_as_many_as_the_limit_allows(soft: int, hard: int, wanted: int, said: str) -> None:
    assert said == _ask(soft, hard, wanted)


def test_a_limit_that_leaves_no_room_ends_the_start_with_what_to_do() -> None:
    told = _ask(128, 128, 10_000)
    assert "128 files" in told
    assert "ulimit -n" in told
    assert "limits.connections = 10000" in told


def _ask(*numbers: int) -> str:
    command = [sys.executable, "-c", CODE, *(str(number) for number in numbers)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout.strip()
