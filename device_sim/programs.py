"""What the commands do alike as processes: lines on stdout, a status line, signals, logs.

stdout carries two lines, `ready …` and at the end one JSON object; everything else goes to stderr. Each command has a file
of its own, so that one that starts quickly does not import what another needs.
"""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, NoReturn

from rich.console import Console

from hub.observe.logs import configure_logs

if TYPE_CHECKING:
    from device_sim.run.publisher import Tally

# Above this the figures say more about the simulator or its machine than about the system under test.
LATE_S = 1.0
REFRESH_S = 0.25


def warn(tally: "Tally", *, paced: bool) -> None:
    unacknowledged = tally.published - tally.acknowledged
    if unacknowledged:
        tell(f"{unacknowledged} readings were not acknowledged in time")
    if paced and tally.late_s > LATE_S:
        tell(f"messages left up to {tally.late_s:.1f} s after their intended time")


def on_signal(stop: Callable[[], None]) -> None:
    """Call `stop` at the first SIGINT or SIGTERM; a second one ends the program at once (`KeyboardInterrupt`)."""
    loop = asyncio.get_running_loop()

    def first() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
            signal.signal(number, end_at_once)
        stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, first)


def end_at_once(_signal: int, _frame: object) -> NoReturn:
    """Handle a second signal: the person does not want to wait for what is on its way."""
    tell("Ended at once; what was on its way is not counted.")
    raise KeyboardInterrupt


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


@contextlib.asynccontextmanager
async def status_line(describe: Callable[[], str]) -> AsyncIterator[None]:
    """Show what `describe` says until the block ends, when a person watches: stderr is a terminal. Else nothing."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(describe()) as status:

        async def refresh() -> None:
            while True:
                await asyncio.sleep(REFRESH_S)
                status.update(describe())

        task = asyncio.create_task(refresh())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
