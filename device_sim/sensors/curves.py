"""What sensors' curves are made of, for many devices at once: normal deviates, noise that remembers, the rhythm of a day.

Each device has a source of its own: whoever else draws changes nothing. The source is SplitMix64 (Steele, Lea and Flood,
OOPSLA 2014): 64 bits of state a device, where `random.Random` has 2.5 KiB, and a draw for a thousand devices is a dozen
steps of numpy. Its uppermost 12 bits choose one of the 4,096 quantiles of the normal distribution, in the middle of equal
probabilities and scaled to variance 1. The largest is 3.8; for noise that is summed or seen in hundredths nothing more is
needed.

Noise that remembers is an Ornstein-Uhlenbeck process, the continuous form of an AR(1) series, exact for any spacing of the
samples (Gillespie, Phys. Rev. E 54, 1996): after `dt` seconds the value keeps exp(-dt/tau) of itself. White noise would
make a chart that no real room or machine draws.
"""

import math
import random
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Final

import numpy as np

from device_sim.sensors.settings import Curve, Numbers, Rows

BITS: Final = 12
STEP: Final = np.uint64(0x9E3779B97F4A7C15)
MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
MIX_2: Final = np.uint64(0x94D049BB133111EB)
DAY_S = 86_400.0
WARMEST_S = 15 * 3_600.0  # air is warmest some three hours after noon


def _table() -> Numbers:
    count = 1 << BITS
    quantiles = np.array([NormalDist().inv_cdf((place + 0.5) / count) for place in range(count)])
    scaled: Numbers = quantiles / quantiles.std()
    return scaled


NORMALS: Final = _table()


def normals(rngs: Sequence[random.Random]) -> Callable[[Rows], Numbers]:
    """Make a source for each device; each `rng` seeds one."""
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


def wander(sigma: float, tau_s: float, rngs: Sequence[random.Random]) -> Curve:
    """Make offsets around 0 with standard deviation `sigma` that forget over `tau_s` seconds; a time may go back."""
    draw = normals(rngs)
    # Before its first value a device has forgotten everything: exp(-inf) is 0.
    values, last_t = np.zeros(len(rngs)), np.full(len(rngs), -np.inf)

    def at(rows: Rows, t: Numbers) -> Numbers:
        kept = np.exp(np.minimum(last_t[rows] - t, 0.0) / tau_s)
        value: Numbers = values[rows] * kept + sigma * np.sqrt(1.0 - kept * kept) * draw(rows)
        values[rows], last_t[rows] = value, t
        return value

    return at


def warmth(t: Numbers) -> Numbers:
    """Return -1 (coldest, 03:00 UTC) to 1 (warmest, 15:00 UTC) at `t` seconds since the epoch."""
    return np.cos(math.tau * (t - WARMEST_S) / DAY_S)


def tide(t: Numbers) -> Numbers:
    """Return -1 to 1 twice a day with maxima at 10:00 and 22:00 UTC, as the atmospheric tide has them."""
    return np.cos(2.0 * math.tau * (t - 10 * 3_600.0) / DAY_S)
