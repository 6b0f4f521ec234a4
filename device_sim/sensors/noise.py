"""Noise that remembers: an Ornstein-Uhlenbeck process, the continuous form of an AR(1) series.

Exact for any spacing of the samples (Gillespie, Phys. Rev. E 54, 1996): after `dt` seconds the value keeps exp(-dt/tau)
of itself. White noise would make a chart that no real room or machine draws.
"""

import math
import random


class Drift:
    """A wandering offset around 0 with standard deviation `sigma` that forgets over `tau_s` seconds."""

    __slots__ = ("_sigma", "_t", "_tau_s", "_value")

    def __init__(self, sigma: float, tau_s: float) -> None:
        self._sigma = sigma
        self._tau_s = tau_s
        self._t: float | None = None
        self._value = 0.0

    def at(self, t: float, rng: random.Random) -> float:
        """Return the offset at `t` (seconds; not before the last call's `t`)."""
        if self._t is None:
            self._value = rng.gauss(0.0, self._sigma)
        else:
            kept = math.exp(-max(t - self._t, 0.0) / self._tau_s)
            self._value = self._value * kept + self._sigma * math.sqrt(1.0 - kept * kept) * rng.gauss(0.0, 1.0)
        self._t = t
        return self._value
