"""How long to wait before the next attempt to connect."""

import random
from collections.abc import Iterator

FIRST_S = 0.1
LONGEST_S = 5.0


def delays(rng: random.Random) -> Iterator[float]:
    """Yield seconds for ever: doubling up to LONGEST_S, each between half and all of it.

    The jitter keeps a fleet that was cut off at once from coming back at once.
    """
    longest = FIRST_S
    while True:
        yield rng.uniform(longest / 2, longest)
        longest = min(longest * 2, LONGEST_S)
