"""Noise that remembers: an Ornstein-Uhlenbeck process, the continuous form of an AR(1) series.

Exact for any spacing of the samples (Gillespie, Phys. Rev. E 54, 1996): after `dt` seconds the value keeps exp(-dt/tau)
of itself. White noise would make a chart that no real room or machine draws.
"""

import random
from collections.abc import Sequence

import numpy as np

from device_sim.sensors.normal import Numbers, Rows, normals
from device_sim.sensors.settings import Curve


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
