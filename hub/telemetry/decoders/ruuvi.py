"""Ruuvi Gateway: `ruuvi/<gateway MAC>/<tag MAC>` (docs.ruuvi.com, Ruuvi Gateway, data formats).

    {"gw_mac":"C8:25:2D:8E:9C:2C","rssi":-65,"ts":"1764410400","data":"0201061BFF9904050F…","coords":""}

The device is the tag's MAC, so that all gateways that hear it speak of one. The advertisement in `data` is decoded: Ruuvi's
formats 3 and 5; the gateway may have decoded it already. `ts` is when the gateway heard it; with many gateways one
advertisement has one sequence number, and mostly one second.
"""

import struct
from collections.abc import Iterator
from typing import Final

from hub.telemetry import clock
from hub.telemetry.decoders import strict_json
from hub.telemetry.decoders.leaves import Leaves
from hub.telemetry.decoders.row import JSON_OPTIONS, Row, Topics
from hub.telemetry.decoders.strict_json import JsonValue
from hub.telemetry.notes import Notes
from hub.telemetry.origin import Origin
from storage.reading import Reading

DESCRIBE: Final = frozenset(
    {"gw_mac", "aoa", "gwts", "ts", "timestamp", "nonce", "data", "coords", "id", "name", "dataFormat", "mac"}
)
UNITS: Final = {
    "temperature": "Cel",
    "humidity": "%RH",
    "pressure": "Pa",
    "accelX": "g",
    "accelY": "g",
    "accelZ": "g",
    "voltage": "V",
    "txPower": "dBm",
    "rssi": "dBm",
    "PM1.0": "ug/m3",
    "PM2.5": "ug/m3",
    "PM4.0": "ug/m3",
    "PM10.0": "ug/m3",
    "CO2": "ppm",
    "luminosity": "lx",
}
_MANUFACTURER: Final = bytes.fromhex("ff9904")  # type of the field, Ruuvi's company id
_RAW_1: Final = struct.Struct(">BBBBHhhhH")
_RAW_2: Final = struct.Struct(">BhHHhhhHBH")
_NO_16: Final = 0xFFFF
_NO_SIGNED: Final = -0x8000


class _Values(Leaves):
    __slots__ = ()
    LEFT_OUT = DESCRIBE

    def unit_of(self, metric: str) -> str:
        return UNITS.get(metric, "")


def decode(body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Decode one message; see the head of this file and `Decoder`."""
    document = strict_json.record(body, origin, notes)
    if document is None:
        return []
    if origin.rest in {"gw_status", "status"}:
        state = document.get("state")
        if isinstance(state, str):
            notes.state(origin.topic.rpartition("/")[0], state == "online", state, received_us)
        return []
    time_us = clock.device_time(document.get("ts", document.get("timestamp")), origin, notes, "ts")
    leaves = _Values(origin, received_us if time_us is None else time_us, notes)
    leaves.branch("", document)
    data = document.get("data")
    if isinstance(data, str) and "temperature" not in document:
        values = dict(_advertised(data))
        if not values:
            notes.skip("not_decoded")
        leaves.branch("", values)
    if time_us is None:
        notes.without_time(len(leaves.readings))
    return leaves.readings


def _advertised(data: str) -> Iterator[tuple[str, JsonValue]]:
    """Return what an advertisement in hexadecimal measures; a value that the tag marks as invalid is left out."""
    try:
        packet = bytes.fromhex(data)
    except ValueError:
        return
    _, found, payload = packet.partition(_MANUFACTURER)
    if found and payload[:1] == b"\x05" and len(payload) >= _RAW_2.size:
        yield from _raw_2(payload)
    elif found and payload[:1] == b"\x03" and len(payload) >= _RAW_1.size:
        yield from _raw_1(payload)


def _raw_2(payload: bytes) -> Iterator[tuple[str, JsonValue]]:
    _, temperature, humidity, pressure, x, y, z, power, movements, sequence = _RAW_2.unpack_from(payload)
    if temperature != _NO_SIGNED:
        yield "temperature", round(temperature * 0.005, 3)
    if humidity != _NO_16:
        yield "humidity", round(humidity * 0.0025, 4)
    if pressure != _NO_16:
        yield "pressure", pressure + 50_000
    for axis, value in (("accelX", x), ("accelY", y), ("accelZ", z)):
        if value != _NO_SIGNED:
            yield axis, value / 1_000
    if power >> 5 != 0x7FF:
        yield "voltage", round((power >> 5) / 1_000 + 1.6, 3)
    if power & 0x1F != 0x1F:
        yield "txPower", (power & 0x1F) * 2 - 40
    if movements != 0xFF:
        yield "movementCounter", movements
    if sequence != _NO_16:
        yield "measurementSequenceNumber", sequence


def _raw_1(payload: bytes) -> Iterator[tuple[str, JsonValue]]:
    _, humidity, whole, hundredths, pressure, x, y, z, millivolts = _RAW_1.unpack_from(payload)
    temperature = (whole & 0x7F) + hundredths / 100
    yield "temperature", -temperature if whole & 0x80 else temperature
    yield "humidity", humidity * 0.5
    yield "pressure", pressure + 50_000
    yield from (("accelX", x / 1_000), ("accelY", y / 1_000), ("accelZ", z / 1_000), ("voltage", millivolts / 1_000))


_MAC: Final = "(?:[0-9A-Fa-f]{2}:?){5}[0-9A-Fa-f]{2}"

ROW: Final = Row(
    "ruuvi",
    lambda: decode,
    topics=(
        Topics.of("Ruuvi Gateway", rf"ruuvi/[^/]+/(?P<device>{_MAC})"),
        Topics.of("Ruuvi Gateway", r"ruuvi/[^/]+/(?P<rest>gw_status|status)"),
    ),
    options=JSON_OPTIONS,
)
