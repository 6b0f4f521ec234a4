"""The Things Stack v3: `v3/<application>@<tenant>/devices/<device id>/up`; zeros of the envelope are left out."""

import base64
import re
from typing import Any, Final

from device_sim.payloads import documents
from device_sim.payloads.documents import Tree
from device_sim.payloads.format import Device, Format, MakeRng
from device_sim.payloads.lorawan import METRIC, Link, Uplinks

APPLICATION_DELAY_US: Final = 225_000
"""The application server takes an uplink this much later than the network server: its time is not the reading's."""


class TheThingsStack(Uplinks):
    """Its uplinks carry what the formatter decoded as `decoded_payload`."""

    def __init__(self, device: Device, make_rng: MakeRng) -> None:
        super().__init__(device, make_rng)
        self._ids = {
            "device_id": device.id,
            "application_ids": {"application_id": device.topic.split("/")[1].partition("@")[0]},
            "dev_eui": f"{self._rng.getrandbits(64):016X}",
            "dev_addr": f"{self._rng.getrandbits(32):08X}",
        }
        self._session = base64.b64encode(self._rng.randbytes(16)).decode()

    def _document(self, time_us: int, values: Tree, link: Link, count: int) -> dict[str, Any]:
        reception: dict[str, Any] = {"gateway_ids": {"gateway_id": "gtw1", "eui": "9C5C8E00001A05C4"}}
        if link.rssi:
            reception |= {"rssi": link.rssi, "channel_rssi": link.rssi}
        if link.snr:
            reception["snr"] = link.snr
        uplink: dict[str, Any] = {"session_key_id": self._session, "f_port": 1}
        if count:
            uplink["f_cnt"] = count
        uplink |= {
            "frm_payload": base64.b64encode(self._rng.randbytes(8)).decode(),
            "decoded_payload": values,
            "rx_metadata": [reception],
            "settings": {
                "data_rate": {"lora": {"bandwidth": 125_000, "spreading_factor": 7}},
                "frequency": "868100000",
            },
            "received_at": f"{documents.iso_ns(time_us)}Z",
        }
        return {
            "end_device_ids": self._ids,
            "received_at": f"{documents.iso_ns(time_us + APPLICATION_DELAY_US)}Z",
            "uplink_message": uplink,
        }


FORMAT: Final = Format(
    "ttn",
    TheThingsStack,
    "v3/meters@simulated/devices/{device}/up",
    re.compile(r"v3/[^/+#{}]+/devices/\{device\}/up"),
    metric=METRIC,
    id=re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"),
    id_example="meter-1",
    nested=True,
    decoder="ttn",
)
