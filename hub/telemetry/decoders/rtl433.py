"""rtl_433: `rtl_433/<host>/events`, one JSON object a transmission, and `rtl_433/<host>/devices/…`, one value a topic.

    {"time":"2025-11-29 12:25:10","model":"Weather-5n1","id":1234,"temperature_F":60.4}

Many sensors stand behind one receiver, so the device is the sensor: `<model>[.<channel>][.<id>]`, which is what rtl_433's
own topics for devices spell. The time is that of the receiver, mostly local and without a zone: the route's counts.
"""

from typing import Final

from hub.telemetry import clock, units
from hub.telemetry.decoders import strict_json
from hub.telemetry.decoders.leaves import Leaves
from hub.telemetry.decoders.row import JSON_OPTIONS, Row, Topics
from hub.telemetry.decoders.strict_json import JsonValue
from hub.telemetry.decoders.text import text_of, unquoted
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import JOINT, Origin
from hub.telemetry.scalars import number_in
from storage.reading import Reading

DESCRIBE: Final = frozenset(
    {"time", "model", "type", "subtype", "channel", "id", "mic", "mod", "protocol", "codes", "rows"}
)
_UNITS: Final = {
    "humidity": "%RH",
    "rssi": "dB",
    "snr": "dB",
    "noise": "dB",
    "freq": "MHz",
    "freq1": "MHz",
    "freq2": "MHz",
}
_DEVICE_KEYS: Final = ("model", "channel", "id")


class _Values(Leaves):
    __slots__ = ()
    LEFT_OUT = DESCRIBE

    def unit_of(self, metric: str) -> str:
        return _UNITS.get(metric, "") or units.suffix(metric)


def decode(body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Decode one message; see the head of this file and `Decoder`."""
    kind, _, behind = origin.rest.partition("/")
    if kind == "devices":
        return _single(body, behind, origin, received_us, notes)
    document = strict_json.record(body, origin, notes)
    if document is None:
        return []
    if kind == "states" or "model" not in document:
        notes.skip("metadata")  # of the receiver
        return []
    time_us = clock.device_time(document.get("time"), origin, notes, "time")
    leaves = _Values(origin, received_us if time_us is None else time_us, notes)
    leaves.device = _device(document, origin)
    leaves.branch("", document)
    if time_us is None:
        notes.without_time(len(leaves.readings))
    return leaves.readings


def _device(document: dict[str, JsonValue], origin: Origin) -> str:
    parts = [document.get(key) for key in _DEVICE_KEYS]
    device = JOINT.join(str(part) for part in parts if part is not None and part != "")
    if device != origin.device and not origin.gateway:
        raise PayloadError("device_mismatch", f"the payload names {device[:80]!r}, the topic {origin.device[:80]!r}")
    return device


def _single(body: bytes, behind: str, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    *levels, metric = behind.split("/")
    if not levels or metric in DESCRIBE:
        notes.skip("time" if metric == "time" else "metadata")
        return []
    leaves = _Values(origin, received_us, notes)
    leaves.device = JOINT.join(levels)
    text = unquoted(text_of(body, origin, notes))
    number = number_in(text)
    leaves.leaf(metric, text if number is None else number)
    notes.without_time(len(leaves.readings))
    return leaves.readings


ROW: Final = Row(
    "rtl433",
    lambda: decode,
    topics=(Topics.of("rtl_433", r"rtl_433/(?P<device>[^/]+)/(?P<rest>(?:events|states)|devices/.+)"),),
    options=JSON_OPTIONS | {"zone"},
)
