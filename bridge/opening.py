"""Opening what blocks, in a thread, with an owner for what comes too late.

A thread cannot be cancelled: when its caller gave up (a time limit, a stop), what it opens afterwards has nobody who would
close it.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def opened(open_it: Callable[[], T], discard: Callable[[T], None]) -> T:
    """Return what `open_it` gives; after a cancellation `discard` gets it, in either thread."""
    given: list[T] = []
    given_up = False

    def sweep() -> None:
        with contextlib.suppress(IndexError):  # the other thread took it
            discard(given.pop())

    def run() -> None:
        given.append(open_it())
        if given_up:
            sweep()

    try:
        await asyncio.to_thread(run)
    except asyncio.CancelledError:
        given_up = True
        sweep()
        raise
    return given.pop()
