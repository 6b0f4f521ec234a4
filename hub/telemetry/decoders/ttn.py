"""The Things Stack v3: `v3/<application>@<tenant>/devices/<device id>/<event>` (device-formats section 12).

`up` gives the payload that a formatter decoded and the quality of the link, `up/normalized` the same with names and units by
The Things Industries' schema, `location/solved` a place; the other events and commands hold no readings. The device is the
device id of the topic; the time is the network server's, as the outer one of the application server differs between
deliveries of one uplink.

`up` and `up/normalized` are of one uplink, and both are read: their names differ, and the link's quality repeats itself.
"""

from typing import Final

from hub.telemetry import clock
from hub.telemetry.decoders import strict_json
from hub.telemetry.decoders.leaves import Leaves
from hub.telemetry.decoders.lorawan import best_link, child, decoded, number, place
from hub.telemetry.decoders.row import JSON_OPTIONS, Row, Topics
from hub.telemetry.decoders.strict_json import JsonValue
from hub.telemetry.notes import Notes, PayloadError
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
UPLINKS: Final = frozenset({"up", "up/normalized"})
# The schema's units by the last key; the quantities are those of lib/payload/uplink.json in lorawan-devices.
_UNITS: Final = {
    "temperature": "Cel",
    "relativeHumidity": "%RH",
    "pressure": "hPa",
    "co2": "ppm",
    "lightIntensity": "lx",
    "battery": "V",
    "moisture": "/100",
    "ec": "dS/m",
    "speed": "m/s",
    "direction": "deg",
    "latitude": "lat",
    "longitude": "lon",
    "altitude": "m",
}


class _Normalized(Leaves):
    """Names and units of the schema."""

    __slots__ = ()

    def unit_of(self, metric: str) -> str:
        return _UNITS.get(metric.rpartition(".")[2], "")


def decode(body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Decode one event; see the head of this file and `Decoder`."""
    kind = origin.rest or _event_of(origin.topic)
    if kind in NO_READINGS:
        notes.skip(NO_READINGS[kind])
        return []
    if kind not in UPLINKS and kind != "location/solved":
        raise PayloadError("unknown_event", f"{kind!r} is no event of The Things Stack v3")
    event = strict_json.record(body, origin, notes)
    if event is None:
        return []
    uplink = child(event, "uplink_message")
    if event.get("simulated") is True:
        notes.skip("simulated")
        return []
    stated = uplink.get("received_at") if kind in UPLINKS else event.get("received_at")
    time_us = clock.device_time(stated, origin, notes, "received_at")
    device = origin.device
    at_us = received_us if time_us is None else time_us
    if kind in UPLINKS:
        readings = _uplink(uplink, kind, origin, at_us, notes)
    else:
        location = child(child(event, "location_solved"), "location")
        readings = place(location, device, at_us)
        if (accuracy := number(location, "accuracy", None)) is not None:
            readings.append(Reading(device, "accuracy", at_us, accuracy, "m"))
    if time_us is None:
        notes.without_time(len(readings))
    return readings


def _event_of(topic: str) -> str:
    """Return the levels behind `devices/<device id>`, for a route that names each level."""
    levels = topic.split("/")
    return "/".join(levels[levels.index("devices") + 2 :]) if "devices" in levels else levels[-1]


def _uplink(uplink: dict[str, JsonValue], kind: str, origin: Origin, time_us: int, notes: Notes) -> list[Reading]:
    if kind == "up/normalized":
        readings = _normalized(uplink.get("normalized_payload"), origin, time_us, notes)
    else:
        readings = decoded(uplink.get("decoded_payload"), origin, origin.device, time_us, notes)
    if readings is None:
        readings = []
        without_data = number(uplink, "f_port") == 0 or not uplink.get("frm_payload")
        notes.skip("mac_traffic" if without_data else "not_decoded")  # the bytes are not guessed
    rate = child(uplink, "settings", "data_rate")
    missing = None if rate and "lora" not in rate else 0.0  # FSK has no snr
    return readings + best_link(uplink.get("rx_metadata"), origin.device, time_us, missing=missing)


def _normalized(payload: JsonValue, origin: Origin, time_us: int, notes: Notes) -> list[Reading] | None:
    """Read the measurements of the schema: one object, or several of which each may have its own time."""
    measurements = payload if isinstance(payload, list) else [payload]
    if not any(isinstance(measurement, dict) for measurement in measurements):
        return None
    leaves = _Normalized(origin, time_us, notes)
    for position, measurement in enumerate(measurements):
        if not isinstance(measurement, dict):
            notes.fault("not_a_record", f"normalized_payload[{position}] is no object")
            continue
        own_us = clock.device_time(measurement.get("time"), origin, notes, f"normalized_payload[{position}].time")
        leaves.time_us = time_us if own_us is None else own_us
        leaves.branch("", {key: value for key, value in measurement.items() if key != "time"})
    return leaves.readings


ROW: Final = Row(
    "ttn",
    lambda: decode,
    topics=(Topics.of("The Things Stack v3", r"v3/[^/]+/devices/(?P<device>[^/]+)/(?P<rest>.+)"),),
    options=JSON_OPTIONS,
)
