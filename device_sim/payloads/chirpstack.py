"""ChirpStack v4: `application/<id>/device/<DevEUI>/event/up`, JSON as protobuf writes it (default values are left out)."""

import base64
import re
from typing import Any, Final
from uuid import UUID

from device_sim.payloads import documents
from device_sim.payloads.documents import Tree
from device_sim.payloads.format import Device, Format, MakeRng
from device_sim.payloads.lorawan import METRIC, Link, Uplinks

GATEWAY: Final = "0016c001f153a14c"


class ChirpStack(Uplinks):
    """Its uplinks carry what the codec decoded as `object`."""

    def __init__(self, device: Device, make_rng: MakeRng) -> None:
        super().__init__(device, make_rng)
        self._info = {
            "applicationId": device.topic.split("/")[1],
            "applicationName": "simulated",
            "deviceProfileName": "simulated",
            "deviceName": f"meter {device.id}",
            "devEui": device.id,
        }

    def _document(self, time_us: int, values: Tree, link: Link, count: int) -> dict[str, Any]:
        reception: dict[str, Any] = {"gatewayId": GATEWAY, "uplinkId": self._rng.getrandbits(32)}
        if link.rssi:
            reception["rssi"] = link.rssi
        if link.snr:
            reception["snr"] = link.snr
        document: dict[str, Any] = {
            "deduplicationId": str(UUID(int=self._rng.getrandbits(128), version=4)),
            "time": f"{documents.iso_ns(time_us)}+00:00",
            "deviceInfo": self._info,
            "devAddr": self.device[-8:],
            "dr": 5,
            "fPort": 1,
            "data": base64.b64encode(self._rng.randbytes(8)).decode(),
            "object": values,
            "rxInfo": [reception],
            "txInfo": {"frequency": 868_100_000, "modulation": {"lora": {"bandwidth": 125_000, "spreadingFactor": 7}}},
        }
        if count:
            document["fCnt"] = count
        return document


FORMAT: Final = Format(
    "chirpstack",
    ChirpStack,
    "application/17c82e96-be03-4f38-aef3-f83d48582d97/device/{device}/event/up",
    re.compile(r"application/[^/+#{}]+/device/\{device\}/event/up"),
    metric=METRIC,
    id=re.compile(r"[0-9a-f]{16}"),
    id_example="70b3d57ed0000001",
    nested=True,
    decoder="chirpstack",
)
