"""Zigbee2MQTT: `zigbee2mqtt/<friendly name>` `{"temperature":21.5,"linkquality":102,"last_seen":"…Z"}`.

With `last_seen: ISO_8601`, which its users are told to switch on: without it a repeated state gets a new time.
"""

import re
from collections.abc import Sequence
from typing import Final

import orjson

from device_sim.message import Value, Will
from device_sim.payloads import documents
from device_sim.payloads.documents import Planter
from device_sim.payloads.format import Device, Encoded, Format, MakeRng, stored


class Zigbee2Mqtt:
    """One device behind a gateway of its own; availability as a small object, retained."""

    def __init__(self, device: Device, _make_rng: MakeRng) -> None:
        self.device = device.stored_as or device.topic.removeprefix("zigbee2mqtt/")
        self._topic = device.topic
        self._names = device.names
        self._planter = Planter(self._names)
        self._qos = device.qos

    def will(self) -> Will:
        return Will(f"{self._topic}/availability", b'{"state":"offline"}', retain=True)

    def births(self, time_us: int, _values: Sequence[Value | None]) -> Sequence[Encoded]:
        topic = f"{self._topic}/availability"
        return (Encoded(topic, b'{"state":"online"}', (), (), time_us, retain=True, qos=self._qos),)

    def encode(self, time_us: int, values: Sequence[Value | None]) -> Sequence[Encoded]:
        payload = orjson.dumps({**self._planter.plant(values), "last_seen": documents.iso_ms(time_us)})
        return (Encoded(self._topic, payload, *stored(self._names, values), time_us, qos=self._qos),)


FORMAT: Final = Format(
    "zigbee2mqtt",
    Zigbee2Mqtt,
    "zigbee2mqtt/{device}",
    re.compile(r"zigbee2mqtt/(?!bridge/)[^+#\0{}]*\{device\}"),
    metric=re.compile(
        r"(?!(?:update|update_available|device|elapsed|last_seen)(?:\.|$))[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*"
    ),
    id=re.compile(r"(?!(?:bridge|set|get|availability)$)[^\x00-\x1f\x7f+#/]{1,100}"),
    id_example="livingroom-climate",
    nested=True,
    decoder="zigbee2mqtt",
)
