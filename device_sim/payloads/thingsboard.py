"""ThingsBoard's gateway: `{"device-1":[{"ts":1795190400123,"values":{"temperature":21.5}}]}`, one topic for all devices."""

import re
from collections.abc import Sequence
from typing import Final

import orjson

from device_sim.message import Value
from device_sim.payloads.format import Device, Encoded, Format, MakeRng, Unannounced, stored

TOPIC: Final = "v1/gateway/telemetry"


class ThingsBoard(Unannounced):
    """One record a message, null for no value; the device is the outer key."""

    def __init__(self, device: Device, _make_rng: MakeRng) -> None:
        self.device = device.stored_as or device.id
        self._key = device.id
        self._topic = device.topic
        self._names = device.names
        self._qos = device.qos

    def encode(self, time_us: int, values: Sequence[Value | None]) -> Sequence[Encoded]:
        record = {"ts": time_us // 1_000, "values": dict(zip(self._names, values, strict=True))}
        payload = orjson.dumps({self._key: [record]})
        return (Encoded(self._topic, payload, *stored(self._names, values), time_us, qos=self._qos),)


FORMAT: Final = Format("thingsboard", ThingsBoard, TOPIC, re.compile(re.escape(TOPIC)), decoder="thingsboard")
