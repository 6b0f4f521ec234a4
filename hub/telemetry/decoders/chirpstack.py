"""ChirpStack v4 and v3: `application/<application>/device/<DevEUI>/event/<type>` (device-formats section 11).

`up` gives what the codec made and the quality of the link, `status` margin and battery, `location` a place; the other
events and commands hold no readings. The device is the DevEUI of the topic, the time is the event's.

Version 3 has other names in the envelope, by which it is known (`devEUI`, `applicationID`), and leaves nothing out. Its
Protobuf-JSON marshaler writes the decoded object as a text (`objectJSON`) and the DevEUI in base64. Its uplinks have no
time but `publishedAt`, or that of a gateway with GPS. Before 3.11 its topics had no `event` level, and an uplink was `rx`.
"""

import base64
import binascii
from typing import Final

from hub.telemetry import clock
from hub.telemetry.decoders import strict_json
from hub.telemetry.decoders.lorawan import best_link, child, decoded, number, place
from hub.telemetry.decoders.row import JSON_OPTIONS, Row, Topics
from hub.telemetry.decoders.strict_json import JsonValue
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from storage.reading import Reading

NO_READINGS: Final = {
    "join": "event",
    "ack": "event",
    "txack": "event",
    "error": "event",
    "log": "log",
    "integration": "event",
}
_UPLINKS: Final = frozenset({"up", "rx"})
_EUI_BYTES: Final = 8


def decode(body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Decode one event; see the head of this file and `Decoder`."""
    *group, kind = (origin.rest or "/".join(origin.topic.rsplit("/", 2)[1:])).split("/")
    if group[-1:] == ["command"] or kind == "tx":
        notes.skip("command")
        return []
    if kind in NO_READINGS:
        notes.skip(NO_READINGS[kind])
        return []
    if body[:1] not in {b"{", b"\xef", b" ", b""}:  # protobuf mostly begins with a line feed
        hint = "the first byte is no {: set ChirpStack's marshaler to JSON (integration.mqtt, json=true)"
        raise PayloadError("protobuf_marshaler", hint)
    event = strict_json.record(body, origin, notes)
    if event is None:
        return []
    stated_us = _time(event, origin, notes)
    time_us = received_us if stated_us is None else stated_us
    device = _device(event, origin)
    if kind in _UPLINKS:
        readings = _uplink(event, origin, device, time_us, notes)
    elif kind == "status":
        readings = _status(event, device, time_us)
    elif kind == "location":
        readings = place(child(event, "location"), device, time_us)
    else:
        raise PayloadError("unknown_event", f"{kind!r} is no event of ChirpStack")
    if stated_us is None:
        notes.without_time(len(readings))
    return readings


def _is_version_3(event: dict[str, JsonValue]) -> bool:
    return "devEUI" in event or "applicationID" in event


def _time(event: dict[str, JsonValue], origin: Origin, notes: Notes) -> int | None:
    stated: JsonValue = event.get("time") or event.get("publishedAt")
    if not stated and _is_version_3(event):
        gateways = event.get("rxInfo")
        heard = gateways if isinstance(gateways, list) else []
        stated = next((time for gateway in heard if isinstance(gateway, dict) and (time := gateway.get("time"))), None)
    if not stated:
        return None
    time_us = clock.device_time(stated, origin, notes, "time")
    if time_us is None:
        notes.skip("no_value")
    return time_us


def _device(event: dict[str, JsonValue], origin: Origin) -> str:
    """Return the DevEUI; the topic's and the payload's are one, or the payload speaks for another device."""
    named = child(event, "deviceInfo").get("devEui") or event.get("devEUI")
    if named is None:
        return origin.device
    if not isinstance(named, str):
        raise PayloadError("bad_device", "'devEui' is no text")
    if named.lower() == origin.device.lower() or _from_base64(named) == origin.device.lower():
        return origin.device
    if not origin.gateway or origin.device_in_route:
        raise PayloadError("device_mismatch", f"the payload is of {named}, the topic of {origin.device}")
    return _from_base64(named) or named


def _from_base64(text: str) -> str:
    """Return the hexadecimal digits of a DevEUI in base64, empty for anything else."""
    try:
        eui = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return eui.hex() if len(eui) == _EUI_BYTES else ""


def _uplink(event: dict[str, JsonValue], origin: Origin, device: str, time_us: int, notes: Notes) -> list[Reading]:
    values = event.get("object")
    text = event.get("objectJSON")
    if not isinstance(values, dict) and isinstance(text, str) and text:
        try:
            values = strict_json.loads(text.encode(), origin, notes)
        except PayloadError as error:
            notes.fault(error.reason, f"objectJSON: {error.detail}")
            values = {}
    readings = decoded(values, origin, device, time_us, notes)
    if readings is None:
        readings = []
        without_data = number(event, "fPort") == 0 or not event.get("data")
        notes.skip("mac_traffic" if without_data else "not_decoded")  # without a codec the bytes are not guessed
    if _is_version_3(event):
        link = best_link(event.get("rxInfo"), device, time_us, missing=None, snr_key="loRaSNR")
    else:
        # Modulations other than LoRa have no snr.
        modulation = child(event, "txInfo", "modulation")
        missing = None if modulation and "lora" not in modulation else 0.0
        link = best_link(event.get("rxInfo"), device, time_us, missing=missing)
    return readings + link


def _status(event: dict[str, JsonValue], device: str, time_us: int) -> list[Reading]:
    missing = None if _is_version_3(event) else 0.0
    margin, battery = number(event, "margin", missing), number(event, "batteryLevel", missing)
    readings = [] if margin is None else [Reading(device, "lorawan.margin", time_us, margin, "dB")]
    if battery is not None and not event.get("externalPowerSource") and not event.get("batteryLevelUnavailable"):
        readings.append(Reading(device, "battery", time_us, battery, "%EL"))
    return readings


ROW: Final = Row(
    "chirpstack",
    lambda: decode,
    topics=(
        Topics.of("ChirpStack", r"application/[^/]+/device/(?P<device>[^/]+)/(?P<rest>(?:event|command)/[^/]+)"),
        Topics.of(
            "ChirpStack before 3.11",
            r"application/[^/]+/device/(?P<device>[^/]+)/(?P<rest>rx|tx|join|ack|error|status|location)",
        ),
    ),
    options=JSON_OPTIONS,
)
