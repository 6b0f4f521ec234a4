"""What the commands do alike as processes: lines on stdout, signals, logs.

stdout carries two lines, `ready …` and at the end one JSON object; everything else goes to stderr. Each command has a file
of its own, so that one that starts quickly does not import what another needs.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from hub.observe.logs import configure_logs

if TYPE_CHECKING:
    from device_sim.publisher import Tally

# Above this the figures say more about the simulator or its machine than about the system under test.
LATE_S = 1.0


def warn(tally: "Tally", *, paced: bool) -> None:
    unacknowledged = tally.published - tally.acknowledged
    if unacknowledged:
        tell(f"{unacknowledged} readings were not acknowledged in time")
    if paced and tally.late_s > LATE_S:
        tell(f"messages left up to {tally.late_s:.1f} s after their intended time")


def on_signal(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)


def prepare_logs() -> None:
    configure_logs()
    # It logs each failed attempt with a traceback; the session says the same in one line.
    logging.getLogger("stomp.py").setLevel(logging.CRITICAL)


def say(line: str) -> None:
    """Write a line for whoever started the program."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def tell(line: str) -> None:
    """Write a line for a person."""
    sys.stderr.write(f"{line}\n")
