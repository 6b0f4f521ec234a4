"""What a LoRaWAN network server says beside the measurement: how well a gateway heard the device."""

import random
from typing import Final, NamedTuple

import numpy as np

from device_sim.sensors.noise import wander

METRICS = ("lorawan.rssi", "lorawan.snr")
_THE_ONE: Final = np.zeros(1, np.intp)


class Link(NamedTuple):
    """Link quality of one uplink."""

    rssi: int
    snr: float


class Radio:
    """One device's place in the landscape: near or far from its gateway, with fading."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._mean_dbm = rng.uniform(-115.0, -60.0)
        self._fading = wander(4.0, 600.0, [rng])

    def link(self, time_us: int) -> Link:
        rssi = self._mean_dbm + float(self._fading(_THE_ONE, np.array([time_us / 1e6]))[0])
        # Above about -100 dBm LoRa's signal-to-noise ratio saturates near 10 dB; below it falls with the signal.
        snr = min(10.0, (rssi + 105.0) / 2.0) + self._rng.gauss(0.0, 1.0)
        return Link(round(rssi), round(snr * 4.0) / 4.0)  # a quarter of a decibel is what the chips report
