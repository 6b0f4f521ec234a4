"""One bare value for each topic: `greenhouse/bed-3/soil_moisture` `31.5`. No time: the hub stamps its own."""

import re
from collections.abc import Sequence
from typing import Final

from device_sim.message import Value
from device_sim.payloads.format import Device, Encoded, Format, MakeRng, Unannounced
from device_sim.payloads.topics import PER_METRIC

NO_VALUE: Final = b"nan"


class Scalars(Unannounced):
    """A message for each metric; the device is the topic up to the metric."""

    def __init__(self, device: Device, _make_rng: MakeRng) -> None:
        head = device.topic.removesuffix("/{metric}")
        self.device = device.stored_as or head
        self._places = [(metric.name, f"{head}/{metric.name}") for metric in device.measured]
        self._qos = device.qos

    def encode(self, time_us: int, values: Sequence[Value | None]) -> Sequence[Encoded]:
        return [
            Encoded(topic, str(value).encode(), (name,), (value,), time_us, timed=False, qos=self._qos)
            if value is not None
            else Encoded(topic, NO_VALUE, (), (), time_us, timed=False, qos=self._qos)
            for (name, topic), value in zip(self._places, values, strict=True)
        ]


FORMAT: Final = Format(
    "scalar",
    Scalars,
    "sensors/{device}/{metric}",
    PER_METRIC,
    sorts=frozenset({"number", "text"}),
    metric=re.compile(
        r"(?!(?:state|config|online|debug|time|ts|date|timestamp|datetime|Time|last_seen)$)[A-Za-z0-9_.:-]+"
    ),
)
