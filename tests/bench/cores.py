"""Which core a process runs on: the server has one for itself, the load another.

A child inherits the affinity of who starts it, from its first instruction on, so no program such as taskset is needed.
"""

import contextlib
import os
from collections.abc import Iterator


def server_core() -> int:
    """Return the core of the server under test."""
    return min(_CORES)


def load_core() -> int:
    """Return the core of the load; the server's own where there is no other, which spoils the figures."""
    return max(_CORES)


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """Run what is started here on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


# Once, at import: later our own affinity is narrowed.
_CORES = frozenset(os.sched_getaffinity(0))
