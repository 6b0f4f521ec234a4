"""ChirpStack v4: `application/<application>/device/<DevEUI>/event/<type>` (device-formats section 11).

`up` gives what the codec made (`object`) and the quality of the link, `status` margin and battery, `location` a place; the
other events and commands hold no readings. The device is the DevEUI of the topic, the time is the event's.
"""

from typing import Final

from hub.telemetry import clock
from hub.telemetry.decoders.leaves import Leaves
from hub.telemetry.decoders.lorawan import best_link, child, envelope, number, place
from hub.telemetry.decoders.strict_json import JsonValue
from hub.telemetry.errors import PayloadError
from hub.telemetry.notes import Notes
from hub.telemetry.origin import Origin
from storage.reading import Reading

NO_READINGS: Final = {
    "join": "event",
    "ack": "event",
    "txack": "event",
    "log": "log",
    "integration": "event",
}


def decode(body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Decode one event; see the head of this file and `Decoder`."""
    *group, kind = origin.rest.split("/")
    if group[-1:] == ["command"]:
        notes.skip("command")
        return []
    if kind in NO_READINGS:
        notes.skip(NO_READINGS[kind])
        return []
    if body[:1] != b"{":  # protobuf mostly begins with a line feed, so spaces are not looked over
        hint = "the first octet is no {: set ChirpStack's marshaler to JSON (integration.mqtt, json=true)"
        raise PayloadError("protobuf_marshaler", hint)
    event = envelope(body)
    stated_us = _time(event, notes)
    time_us = received_us if stated_us is None else stated_us
    device = _device(event, origin)
    if kind == "up":
        readings = _uplink(event, origin, device, time_us, notes)
    elif kind == "status":
        readings = _status(event, device, time_us)
    elif kind == "location":
        readings = place(child(event, "location"), device, time_us)
    else:
        raise PayloadError("unknown_event", f"{kind!r} is no event of ChirpStack v4")
    if stated_us is None:
        notes.without_time(len(readings))
    return readings


def _time(event: dict[str, JsonValue], notes: Notes) -> int | None:
    text = event.get("time")
    if not text:
        return None
    if not isinstance(text, str):
        raise PayloadError("bad_time", "'time' is no text")
    time_us = clock.from_text(text)
    if time_us is None:
        notes.skip("no_value")
    return time_us


def _device(event: dict[str, JsonValue], origin: Origin) -> str:
    """Return the DevEUI; the topic's and the payload's are one, or the payload speaks for another device."""
    named = child(event, "deviceInfo").get("devEui")
    if named is None or named == origin.device:
        return origin.device
    if not isinstance(named, str):
        raise PayloadError("bad_device", "'devEui' is no text")
    if not origin.gateway or origin.device_in_route:
        raise PayloadError("device_mismatch", f"the payload is of {named}, the topic of {origin.device}")
    return named


def _uplink(event: dict[str, JsonValue], origin: Origin, device: str, time_us: int, notes: Notes) -> list[Reading]:
    leaves = Leaves(origin, time_us, notes)
    leaves.device = device
    decoded = event.get("object")
    if isinstance(decoded, dict):
        leaves.branch("", decoded)
    elif number(event, "fPort") == 0 or not event.get("data"):
        notes.skip("mac_traffic")
    else:
        notes.skip("not_decoded")  # no codec is configured: the octets are not guessed at
    return leaves.readings + best_link(event.get("rxInfo"), device, time_us)


def _status(event: dict[str, JsonValue], device: str, time_us: int) -> list[Reading]:
    readings = [Reading(device, "lorawan.margin", time_us, number(event, "margin"), "dB")]
    if not event.get("externalPowerSource") and not event.get("batteryLevelUnavailable"):
        readings.append(Reading(device, "battery", time_us, number(event, "batteryLevel"), "%EL"))
    return readings
