"""Wait for a condition with a deadline: the only way in which a test waits."""

import asyncio
import time
from collections.abc import Callable

POLL_S = 0.01


async def wait_until(predicate: Callable[[], object], deadline_s: float = 10.0) -> None:
    """Return once `predicate()` is true; raise AssertionError after `deadline_s` seconds."""
    end = time.monotonic() + deadline_s
    while not predicate():
        assert time.monotonic() < end, f"not within {deadline_s} s: {predicate}"
        await asyncio.sleep(POLL_S)


def wait_for(predicate: Callable[[], object], deadline_s: float = 10.0) -> None:
    """Do the same in a test without an event loop."""
    end = time.monotonic() + deadline_s
    while not predicate():
        assert time.monotonic() < end, f"not within {deadline_s} s: {predicate}"
        time.sleep(POLL_S)
