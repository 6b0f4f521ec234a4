"""The Things Stack v3: `v3/<application>@<tenant>/devices/<device id>/up`; zeros of the envelope are left out."""

import base64
import re
from collections.abc import Sequence
from typing import Any, Final

import orjson

from device_sim.message import Value
from device_sim.payloads import stamps
from device_sim.payloads.format import Device, Encoded, Format, MakeRng, Unannounced, stored
from device_sim.payloads.lorawan import METRICS, Radio
from device_sim.payloads.tree import Planter

APPLICATION_DELAY_US: Final = 225_000
"""The application server takes an uplink this much later than the network server: its time is not the reading's."""


class TheThingsStack(Unannounced):
    """Uplinks of one device: `decoded_payload`, and link quality as two more metrics."""

    def __init__(self, device: Device, make_rng: MakeRng) -> None:
        rng = make_rng()
        self.device = device.stored_as or device.id
        self._topic = device.topic
        self._names = (*device.names, *METRICS)
        self._planter = Planter(device.names)
        self._rng, self._radio = rng, Radio(rng)
        self._count = 0
        application = device.topic.split("/")[1].partition("@")[0]
        self._ids = {
            "device_id": device.id,
            "application_ids": {"application_id": application},
            "dev_eui": f"{rng.getrandbits(64):016X}",
            "dev_addr": f"{rng.getrandbits(32):08X}",
        }
        self._session = base64.b64encode(rng.randbytes(16)).decode()
        self._qos = device.qos

    def encode(self, time_us: int, values: Sequence[Value | None]) -> Sequence[Encoded]:
        link = self._radio.link(time_us)
        reception: dict[str, Any] = {"gateway_ids": {"gateway_id": "gtw1", "eui": "9C5C8E00001A05C4"}}
        if link.rssi:
            reception |= {"rssi": link.rssi, "channel_rssi": link.rssi}
        if link.snr:
            reception["snr"] = link.snr
        uplink: dict[str, Any] = {"session_key_id": self._session, "f_port": 1}
        if self._count:
            uplink["f_cnt"] = self._count
        self._count += 1
        uplink |= {
            "frm_payload": base64.b64encode(self._rng.randbytes(8)).decode(),
            "decoded_payload": self._planter.plant(values),
            "rx_metadata": [reception],
            "settings": {
                "data_rate": {"lora": {"bandwidth": 125_000, "spreading_factor": 7}},
                "frequency": "868100000",
            },
            "received_at": f"{stamps.iso_ns(time_us)}Z",
        }
        document = {
            "end_device_ids": self._ids,
            "received_at": f"{stamps.iso_ns(time_us + APPLICATION_DELAY_US)}Z",
            "uplink_message": uplink,
        }
        names, there = stored(self._names, (*values, float(link.rssi), link.snr))
        return (Encoded(self._topic, orjson.dumps(document), names, there, time_us, qos=self._qos),)


FORMAT: Final = Format(
    "ttn",
    TheThingsStack,
    "v3/meters@simulated/devices/{device}/up",
    re.compile(r"v3/[^/+#{}]+/devices/\{device\}/up"),
    metric=re.compile(r"(?!lorawan\.)[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*"),
    id=re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"),
    id_example="meter-1",
    nested=True,
)
