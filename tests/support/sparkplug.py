"""The messages of device-formats section 5.4, an encoder for others, and a bench for edge nodes."""

from collections.abc import Mapping
from typing import Any

from hub.telemetry.decoders.sparkplug import schema
from storage.device_state import DeviceState
from storage.reading import Reading
from tests.support.telemetry import NOW_US, Bench

GROUP = "Sparkplug B Devices"
NODE = f"{GROUP}/Raspberry Pi"
DEVICE = f"{NODE}/Pibrella"
REBIRTH_TOPIC = f"/topic/spBv1.0/{GROUP}/NCMD/Raspberry Pi"

NBIRTH = bytes.fromhex(
    "08eaf2f5a8a02b12120a05626453657118eaf2f5a8a02b2008580012210a144e6f646520436f6e74726f6c2f5265626972746818eaf2f5a8a02b200b"
    "700012200a0e537570706c7920566f6c74616765100118eaf2f5a8a02b2009659a9941411800"
)
DBIRTH = bytes.fromhex(
    "08eaf2f5a8a02b12380a134f7574646f6f722f54656d7065726174757265100218eaf2f5a8a02b20024a120a07656e67556e69741207080c42034365"
    "6c50f6ff0312170a08496e707574732f41100318eaf2f5a8a02b200b70001801"
)
NDATA = bytes.fromhex("08cac7f9a8a02b120e100118cac7f9a8a02b65cdcc44411802")
DDATA = bytes.fromhex(
    "08b2cff9a8a02b120f100218becbf9a8a02b50f5ffffff0f120b100318b2cff9a8a02b7001120f100218d2faf5a8a02b280150f7ff031803"
)
NDEATH = bytes.fromhex("0882ebf5a8a02b12120a0562645365711882ebf5a8a02b20085800")
ALL = (("NBIRTH", NBIRTH), ("DBIRTH", DBIRTH), ("NDATA", NDATA), ("DDATA", DDATA), ("NDEATH", NDEATH))

BIRTH_MS = 1_486_144_502_122
BIRTH_US = BIRTH_MS * 1_000
ALL_READINGS = [
    Reading(NODE, "Supply Voltage", BIRTH_US, 12.1),
    Reading(DEVICE, "Outdoor/Temperature", BIRTH_US, -10.0, "Cel"),
    Reading(DEVICE, "Inputs/A", BIRTH_US, False),
    Reading(NODE, "Supply Voltage", BIRTH_US + 60_000_000, 12.3),
    Reading(DEVICE, "Outdoor/Temperature", BIRTH_US + 60_500_000, -11.0, "Cel"),
    Reading(DEVICE, "Inputs/A", BIRTH_US + 61_000_000, True),
    Reading(DEVICE, "Outdoor/Temperature", BIRTH_US + 1_000_000, -9.0, "Cel"),
]
SECOND_US = 1_000_000


def metric(
    name: str | None = None, alias: int | None = None, datatype: int | None = None, **fields: Any
) -> dict[str, Any]:
    """Return one metric for `payload`; `fields` as the schema calls them."""
    known = {"name": name, "alias": alias, "datatype": datatype, **fields}
    return {key: value for key, value in known.items() if value is not None}


def payload(*metrics: Mapping[str, Any], seq: int | None = None, timestamp: int | None = BIRTH_MS) -> bytes:
    """Encode a payload with the hub's schema; what others encode is in test_other_encoders."""
    present = {"seq": seq, "timestamp": timestamp}
    return schema._PAYLOAD(
        metrics=list(metrics), **{key: value for key, value in present.items() if value is not None}
    ).SerializeToString()


class EdgeNodes:
    """A bench on whose topics edge nodes publish, and a clock that is moved by hand."""

    def __init__(self, *filters: str, bench: Bench | None = None) -> None:
        self.bench = Bench(*filters) if bench is None else bench
        self.now_us = NOW_US

    def send(
        self, kind: str, body: bytes, *, group: str = GROUP, node: str = "Raspberry Pi", device: str = "Pibrella"
    ) -> None:
        path = f"{node}/{device}" if kind[0] == "D" else node
        self.bench.accept(body, f"spBv1.0/{group}/{kind}/{path}", now_us=self.now_us)

    def wait(self, seconds: float) -> None:
        self.now_us += round(seconds * SECOND_US)

    def birth(self, *metrics: Mapping[str, Any], bd_seq: int = 0, seq: int = 0) -> None:
        """Publish an NBIRTH that holds what it must, and `metrics`."""
        must = (
            metric("bdSeq", datatype=8, long_value=bd_seq),
            metric("Node Control/Rebirth", datatype=11, boolean_value=False),
        )
        self.send("NBIRTH", payload(*must, *metrics, seq=seq))

    @property
    def readings(self) -> list[Reading]:
        return self.bench.store.readings

    @property
    def states(self) -> list[DeviceState]:
        return self.bench.store.states

    @property
    def rebirths(self) -> int:
        """How many requests for a rebirth were sent."""
        return len(self.bench.commands)
