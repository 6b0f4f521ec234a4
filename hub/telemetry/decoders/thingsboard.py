"""ThingsBoard's own topics, where a broker in front of the hub was ThingsBoard's (device-formats section 2).

    v1/gateway/telemetry       {"Device A":[{"ts":1483228800000,"values":{"temperature":42}}]}    device = outer key
    v1/devices/me/telemetry    names no device: there "me" is the login, which a bridge does not know

Everything below the device is plain JSON (json). A route of the settings that fixes the device takes `me` with the decoder
json instead.
"""

from dataclasses import replace
from typing import Final

from hub.telemetry.decoders import json, strict_json
from hub.telemetry.decoders.row import ALL_OPTIONS, Row, Topics
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from storage.reading import Reading


def decode(body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Decode one payload; see the head of this file and `Decoder`."""
    if origin.topic.startswith("v1/devices/me/"):
        raise PayloadError("unnamed_device", "behind a bridge `me` is nobody; a route with `device` can name it")
    document = strict_json.record(body, origin, notes)
    readings: list[Reading] = []
    for device, records in (document or {}).items():
        if device != origin.device and not origin.gateway:
            raise PayloadError("device_mismatch", f"{device[:80]!r} is another device than the topic's")
        if not isinstance(records, list | dict):
            notes.fault("not_a_record", f"{device[:80]!r} holds no records")
            continue
        try:
            readings += json.readings_of(records, replace(origin, device=device), received_us, notes)
        except PayloadError as error:
            notes.fault(error.reason, f"{device[:80]!r}: {error.detail}")
    return readings


ROW: Final = Row(
    "thingsboard",
    lambda: decode,
    topics=(Topics.of("ThingsBoard", r"v1/(?P<rest>(?:gateway|devices/me)/telemetry)"),),
    options=ALL_OPTIONS - {"metric_level"},
)
