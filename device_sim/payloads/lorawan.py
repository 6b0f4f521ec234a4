"""Uplinks of LoRaWAN devices as a network server hands them on: the values, and how well a gateway heard the device."""

import random
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import orjson

from device_sim.message import Value
from device_sim.payloads.documents import Planter, Tree
from device_sim.payloads.format import Device, Encoded, MakeRng, Unannounced, stored
from device_sim.sensors.curves import wander

METRIC: Final = re.compile(r"(?!lorawan\.)[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*")
METRICS: Final = ("lorawan.rssi", "lorawan.snr")
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


class Uplinks(Unannounced, ABC):
    """Those of one device: what its codec decoded, and link quality as two more metrics."""

    def __init__(self, device: Device, make_rng: MakeRng) -> None:
        self.device = device.stored_as or device.id
        self._topic = device.topic
        self._names = (*device.names, *METRICS)
        self._planter = Planter(device.names)
        self._rng = make_rng()
        self._radio = Radio(self._rng)
        self._count = 0
        self._qos = device.qos

    def encode(self, time_us: int, values: Sequence[Value | None]) -> Sequence[Encoded]:
        link = self._radio.link(time_us)
        document = self._document(time_us, self._planter.plant(values), link, self._count)
        self._count += 1
        names, there = stored(self._names, (*values, float(link.rssi), link.snr))
        return (Encoded(self._topic, orjson.dumps(document), names, there, time_us, qos=self._qos),)

    @abstractmethod
    def _document(self, time_us: int, values: Tree, link: Link, count: int) -> dict[str, Any]:
        """Return what the network server publishes of the uplink with this frame counter."""
