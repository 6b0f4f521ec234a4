"""Attempts to connect: repeated with one back-off, and opening what blocks in a thread.

Not a supervisor: it retries one session, and whether that was of use is the session's to say. Full jitter (a random pause
between zero and the bound) keeps many bridges from returning in step after a broker's restart.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from bridge.errors import LinkError

FIRST_PAUSE_S: Final = 0.1

T = TypeVar("T")


async def until_useful(
    session: Callable[[], Awaitable[None]], max_pause_s: float, failed: Callable[[str], None]
) -> None:
    """Call `session` until it does not raise LinkError; tell `failed` each time why it did."""

    def report(state: RetryCallState) -> None:
        if state.outcome is not None:
            failed(str(state.outcome.exception()))

    retrying = AsyncRetrying(
        wait=wait_random_exponential(multiplier=FIRST_PAUSE_S, max=max_pause_s),
        retry=retry_if_exception_type(LinkError),
        before_sleep=report,
        reraise=True,
    )
    await retrying(session)


async def opened(open_it: Callable[[], T], discard: Callable[[T], None]) -> T:
    """Return what `open_it` returns, which runs in a thread; after a cancellation `discard` gets it, in either thread.

    A thread cannot be cancelled: when its caller gave up (a time limit, a stop), what it opens afterwards has nobody who
    would close it.
    """
    made: list[T] = []
    given_up = False

    def sweep() -> None:
        with contextlib.suppress(IndexError):  # the other thread took it
            discard(made.pop())

    def run() -> None:
        made.append(open_it())
        if given_up:
            sweep()

    try:
        await asyncio.to_thread(run)
    except asyncio.CancelledError:
        given_up = True
        sweep()
        raise
    return made.pop()
