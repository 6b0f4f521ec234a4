"""ChirpStack v4: `application/<id>/device/<DevEUI>/event/up`, JSON as protobuf writes it (default values are left out)."""

import base64
import re
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import orjson

from device_sim.message import Value
from device_sim.payloads import stamps
from device_sim.payloads.format import Device, Encoded, Format, MakeRng, Unannounced, stored
from device_sim.payloads.lorawan import METRICS, Radio
from device_sim.payloads.tree import Planter

GATEWAY: Final = "0016c001f153a14c"


class ChirpStack(Unannounced):
    """Uplinks of one device: the codec's `object`, and link quality as two more metrics."""

    def __init__(self, device: Device, make_rng: MakeRng) -> None:
        rng = make_rng()
        self.device = device.stored_as or device.id
        self._topic = device.topic
        self._names = (*device.names, *METRICS)
        self._planter = Planter(device.names)
        self._rng, self._radio = rng, Radio(rng)
        self._count = 0
        self._info = {
            "applicationId": device.topic.split("/")[1],
            "applicationName": "simulated",
            "deviceProfileName": "simulated",
            "deviceName": f"meter {device.id}",
            "devEui": device.id,
        }
        self._qos = device.qos

    def encode(self, time_us: int, values: Sequence[Value | None]) -> Sequence[Encoded]:
        link = self._radio.link(time_us)
        reception: dict[str, Any] = {"gatewayId": GATEWAY, "uplinkId": self._rng.getrandbits(32)}
        if link.rssi:
            reception["rssi"] = link.rssi
        if link.snr:
            reception["snr"] = link.snr
        document: dict[str, Any] = {
            "deduplicationId": str(UUID(int=self._rng.getrandbits(128), version=4)),
            "time": f"{stamps.iso_ns(time_us)}+00:00",
            "deviceInfo": self._info,
            "devAddr": self.device[-8:],
            "dr": 5,
            "fPort": 1,
            "data": base64.b64encode(self._rng.randbytes(8)).decode(),
            "object": self._planter.plant(values),
            "rxInfo": [reception],
            "txInfo": {"frequency": 868_100_000, "modulation": {"lora": {"bandwidth": 125_000, "spreadingFactor": 7}}},
        }
        if self._count:
            document["fCnt"] = self._count
        self._count += 1
        names, there = stored(self._names, (*values, float(link.rssi), link.snr))
        return (Encoded(self._topic, orjson.dumps(document), names, there, time_us, qos=self._qos),)


FORMAT: Final = Format(
    "chirpstack",
    ChirpStack,
    "application/17c82e96-be03-4f38-aef3-f83d48582d97/device/{device}/event/up",
    re.compile(r"application/[^/+#{}]+/device/\{device\}/event/up"),
    metric=re.compile(r"(?!lorawan\.)[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*"),
    id=re.compile(r"[0-9a-f]{16}"),
    id_example="70b3d57ed0000001",
    nested=True,
)
