"""Normal deviates for many devices at once, each device with a source of its own: whoever else draws changes nothing.

The source is SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): 64 bits of state a device, where `random.Random` has
2.5 KiB, and a draw for a thousand devices is a dozen steps of numpy. Its uppermost 12 bits choose one of the 4,096
quantiles of the normal distribution, in the middle of equal probabilities and scaled to variance 1. The largest is 3.8;
for noise that is summed or seen in hundredths nothing more is needed.
"""

import random
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Rows: TypeAlias = NDArray[np.intp]
"""Which devices, by their place in the class; none twice."""
Numbers: TypeAlias = NDArray[np.float64]

BITS: Final = 12
STEP: Final = np.uint64(0x9E3779B97F4A7C15)
MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
MIX_2: Final = np.uint64(0x94D049BB133111EB)


def _table() -> Numbers:
    count = 1 << BITS
    quantiles = np.array([NormalDist().inv_cdf((place + 0.5) / count) for place in range(count)])
    scaled: Numbers = quantiles / quantiles.std()
    return scaled


NORMALS: Final = _table()


def normals(rngs: Sequence[random.Random]) -> Callable[[Rows], Numbers]:
    """Make the sources of as many devices; each `rng` gives one its seed."""
    states = np.array([rng.getrandbits(64) for rng in rngs], np.uint64)

    def draw(rows: Rows) -> Numbers:
        mixed = states[rows] + STEP
        states[rows] = mixed
        mixed = (mixed ^ (mixed >> np.uint64(30))) * MIX_1
        mixed = (mixed ^ (mixed >> np.uint64(27))) * MIX_2
        mixed ^= mixed >> np.uint64(31)
        deviates: Numbers = NORMALS[mixed >> np.uint64(64 - BITS)]
        return deviates

    return draw
