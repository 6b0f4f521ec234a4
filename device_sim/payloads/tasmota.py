"""Tasmota: `tele/<topic>/SENSOR` `{"Time":"2026-11-20T16:00:00","SI7021":{"Temperature":20.6},"TempUnit":"C"}`.

Its time has no zone (UTC here) and no fraction of a second.
"""

import re
from collections.abc import Sequence
from typing import Final

import orjson

from device_sim.message import Value, Will
from device_sim.payloads import documents
from device_sim.payloads.documents import Planter, Tree
from device_sim.payloads.format import NUMBERS, Device, Encoded, Format, MakeRng, S, stored

_KEY: Final = r"[A-Za-z][A-Za-z0-9_-]*"
_NO_READING: Final = r"(?!(?:.*\.)?(?:Time|Id|TempUnit|PressureUnit|SpeedUnit|ZbReceived|PN532|RDM6300)(?:\.|$))"


class Tasmota:
    """SENSOR messages, and the two words of the availability topic LWT, retained."""

    def __init__(self, device: Device, _make_rng: MakeRng) -> None:
        self.device = device.stored_as or device.id
        self._topic = device.topic
        self._lwt = f"{device.topic.removesuffix('SENSOR')}LWT"
        self._names = device.names
        self._planter = Planter(self._names)
        units: Tree = {}
        if any(name.endswith(("Temperature", "DewPoint")) for name in self._names):
            units["TempUnit"] = "C"
        if any(name.endswith("Pressure") for name in self._names):
            units["PressureUnit"] = "hPa"
        self._units = units
        self._qos = device.qos

    def will(self) -> Will:
        return Will(self._lwt, b"Offline", retain=True)

    def births(self, time_us: int, _values: Sequence[Value | None]) -> Sequence[Encoded]:
        return (Encoded(self._lwt, b"Online", (), (), time_us, retain=True, qos=self._qos),)

    def encode(self, time_us: int, values: Sequence[Value | None]) -> Sequence[Encoded]:
        document = {"Time": documents.second(time_us // 1_000_000), **self._planter.plant(values), **self._units}
        payload = orjson.dumps(document)
        return (Encoded(self._topic, payload, *stored(self._names, values), time_us, qos=self._qos),)


FORMAT: Final = Format(
    "tasmota",
    Tasmota,
    "tele/{device}/SENSOR",
    re.compile(r"tele/\{device\}/SENSOR|\{device\}/tele/SENSOR"),
    step_us=S,
    sorts=NUMBERS,
    metric=re.compile(rf"{_NO_READING}{_KEY}(?:\.{_KEY})*"),
    metric_example="SI7021.Temperature",
    id_example="tasmota_1A2B3C",
    nested=True,
    decoder="tasmota",
)
