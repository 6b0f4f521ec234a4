"""The daily rhythm that temperature, humidity and pressure share."""

import math

import numpy as np

from device_sim.sensors.normal import Numbers

DAY_S = 86_400.0
WARMEST_S = 15 * 3_600.0  # air is warmest some three hours after noon


def warmth(t: Numbers) -> Numbers:
    """Return -1 (coldest, 03:00 UTC) to 1 (warmest, 15:00 UTC) at `t` seconds since the epoch."""
    return np.cos(math.tau * (t - WARMEST_S) / DAY_S)


def tide(t: Numbers) -> Numbers:
    """Return -1 to 1 twice a day with maxima at 10:00 and 22:00 UTC, as the atmospheric tide has them."""
    return np.cos(2.0 * math.tau * (t - 10 * 3_600.0) / DAY_S)
