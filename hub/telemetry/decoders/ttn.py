"""The Things Stack v3: `v3/<application>@<tenant>/devices/<device id>/<event>` (device-formats section 12).

`up` gives the payload that a formatter decoded and the quality of the link, `location/solved` a place; the other events and
commands hold no readings. The device is the device id of the topic; the time is the network server's, as the outer one of
the application server differs between deliveries of one uplink.
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
    "down/queued": "event",
    "down/sent": "event",
    "down/ack": "event",
    "down/nack": "event",
    "down/failed": "event",
    "service/data": "event",
    "down/push": "command",
    "down/replace": "command",
}


def decode(body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Decode one event; see the head of this file and `Decoder`."""
    kind = origin.rest
    if kind in NO_READINGS:
        notes.skip(NO_READINGS[kind])
        return []
    if kind not in {"up", "location/solved"}:
        raise PayloadError("unknown_event", f"{kind!r} is no event of The Things Stack v3")
    event = envelope(body)
    uplink = child(event, "uplink_message")
    if event.get("simulated") is True:
        notes.skip("simulated")
        return []
    stated = uplink.get("received_at") if kind == "up" else event.get("received_at")
    time_us = _time(stated)
    device = origin.device
    at_us = received_us if time_us is None else time_us
    if kind == "up":
        readings = _uplink(uplink, origin, at_us, notes)
    else:
        location = child(child(event, "location_solved"), "location")
        readings = place(location, device, at_us)
        if "accuracy" in location:
            readings.append(Reading(device, "accuracy", at_us, number(location, "accuracy"), "m"))
    if time_us is None:
        notes.without_time(len(readings))
    return readings


def _time(stated: JsonValue) -> int | None:
    if stated is None:
        return None
    if not isinstance(stated, str):
        raise PayloadError("bad_time", "'received_at' is no text")
    return clock.from_text(stated)


def _uplink(uplink: dict[str, JsonValue], origin: Origin, time_us: int, notes: Notes) -> list[Reading]:
    leaves = Leaves(origin, time_us, notes)
    decoded = uplink.get("decoded_payload")
    if isinstance(decoded, dict):
        leaves.branch("", decoded)
    elif number(uplink, "f_port") == 0 or not uplink.get("frm_payload"):
        notes.skip("mac_traffic")
    else:
        notes.skip("not_decoded")  # no formatter, or it failed: the octets are not guessed at
    return leaves.readings + best_link(uplink.get("rx_metadata"), origin.device, time_us)
