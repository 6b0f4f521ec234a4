"""Noise that remembers: an Ornstein-Uhlenbeck process, the continuous form of an AR(1) series.

Exact for any spacing of the samples (Gillespie, Phys. Rev. E 54, 1996): after `dt` seconds the value keeps exp(-dt/tau)
of itself. White noise would make a chart that no real room or machine draws.
"""

import math
import random
from collections.abc import Callable
from typing import Final

from device_sim.sensors.normal import BITS, NORMALS

SAME_STEP: Final = 1e-3
"""Steps this much alike (as a share) get the same factors: clocks in ms make equal periods differ a little."""


def wander(sigma: float, tau_s: float, rng: random.Random) -> Callable[[float], float]:
    """Make an offset around 0 with standard deviation `sigma` that forgets over `tau_s` seconds.

    What is returned takes the time in seconds, which never goes back.
    """
    bits, normals = rng.getrandbits, NORMALS
    value = sigma * normals[bits(BITS)]
    last_t = math.inf
    kept, kick, shortest, longest = 1.0, 0.0, 0.0, 0.0

    def at(t: float) -> float:
        nonlocal value, last_t, kept, kick, shortest, longest
        dt = t - last_t
        last_t = t
        if dt > 0.0:
            if not shortest < dt < longest:
                kept = math.exp(-dt / tau_s)
                kick = sigma * math.sqrt(1.0 - kept * kept)
                shortest, longest = dt * (1.0 - SAME_STEP), dt * (1.0 + SAME_STEP)
            value = value * kept + kick * normals[bits(BITS)]
        return value

    return at
