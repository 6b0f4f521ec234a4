"""Meshtastic: `msh/<region …>/2/json/<channel>/<gateway>`, what a gateway hears in the mesh, as JSON (meshtastic.org/docs).

    {"from":2130636288,"type":"telemetry","timestamp":1646832724,"payload":{"battery_level":90,"voltage":4.1},"rssi":-60,"snr":6.5}

The device is the node that sent, as the firmware writes it (`!7efeee00`), not the gateway; one packet is published by each
gateway that heard it, so the link belongs to the gateway's series: `link.<gateway>.rssi`. `telemetry` and `position` are
readings. Other types are messages and descriptions; packets on `…/2/e/…` are encrypted.
"""

from typing import Final

from hub.telemetry import clock
from hub.telemetry.decoders import strict_json
from hub.telemetry.decoders.leaves import Leaves
from hub.telemetry.decoders.row import JSON_OPTIONS, Row, Topics
from hub.telemetry.decoders.strict_json import JsonValue
from hub.telemetry.decoders.text import text_of, unquoted
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from storage.reading import Reading

ONLINE: Final = {"online": True, "offline": False}
ENCRYPTED: Final = frozenset({"e", "c"})
READ: Final = frozenset({"telemetry", "position"})
DESCRIBE: Final = frozenset({"time", "PDOP", "precision_bits", "sats_in_view"})
_UNITS: Final = {
    "battery_level": "%EL",
    "voltage": "V",
    "current": "mA",
    "channel_utilization": "/100",
    "air_util_tx": "/100",
    "uptime_seconds": "s",
    "temperature": "Cel",
    "relative_humidity": "%RH",
    "barometric_pressure": "hPa",
    "lux": "lx",
    "wind_speed": "m/s",
    "wind_direction": "deg",
    "latitude": "lat",
    "longitude": "lon",
    "altitude": "m",
    "rssi": "dBm",
    "snr": "dB",
}
_DEGREES: Final = {"latitude_i": "latitude", "longitude_i": "longitude"}
_PER_DEGREE: Final = 1e7


class _Values(Leaves):
    __slots__ = ()
    LEFT_OUT = DESCRIBE

    def unit_of(self, metric: str) -> str:
        return _UNITS.get(metric.rpartition(".")[2], "")


def decode(body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Decode one message; see the head of this file and `Decoder`."""
    kind, _, behind = origin.rest.partition("/")
    gateway = behind.rpartition("/")[2]
    if kind == "stat":
        word = unquoted(text_of(body, origin, notes))
        if word not in ONLINE:
            raise PayloadError("bad_state", f"{word[:40]!r} is neither online nor offline")
        notes.state(gateway, ONLINE[word], word, received_us)
        return []
    if kind != "json":
        notes.skip("encrypted" if kind in ENCRYPTED else "metadata")
        return []
    packet = strict_json.record(body, origin, notes)
    if packet is None:
        return []
    payload = packet.get("payload")
    if str(packet.get("type")) not in READ or not isinstance(payload, dict):
        notes.skip("event")
        return []
    stated = payload.get("time") or packet.get("timestamp")
    time_us = clock.device_time(stated, origin, notes, "time")
    leaves = _Values(origin, received_us if time_us is None else time_us, notes)
    leaves.device = _node(packet, gateway, origin)
    leaves.branch("", {_DEGREES.get(key, key): _degrees(key, value) for key, value in payload.items()})
    for key in ("rssi", "snr"):
        if key in packet:
            leaves.value(f"link.{gateway}.{key}", packet[key])
    if time_us is None:
        notes.without_time(len(leaves.readings))
    return leaves.readings


def _node(packet: dict[str, JsonValue], gateway: str, origin: Origin) -> str:
    number = packet.get("from")
    if isinstance(number, bool) or not isinstance(number, int):
        raise PayloadError("bad_device", "'from' is no number of a node")
    node = f"!{number & 0xFFFFFFFF:08x}"
    if node != gateway and not origin.gateway:
        raise PayloadError("device_mismatch", f"the packet is of {node}, the topic of {gateway[:80]!r}")
    return node


def _degrees(key: str, value: JsonValue) -> JsonValue:
    return value / _PER_DEGREE if key in _DEGREES and isinstance(value, int) and not isinstance(value, bool) else value


ROW: Final = Row(
    "meshtastic",
    lambda: decode,
    topics=(Topics.of("Meshtastic", r"msh(?:/[^/]+)+?/2/(?P<rest>(?:json|e|c|map|stat)/.*)"),),
    options=JSON_OPTIONS,
)
