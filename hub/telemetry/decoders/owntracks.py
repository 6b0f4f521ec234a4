"""OwnTracks: `owntracks/<user>/<device>`, where a phone is (https://owntracks.org/booklet/tech/json/).

    {"_type":"location","lat":10.5,"lon":20.25,"acc":15,"batt":98,"vel":4,"tst":1764410400}

The device is `<user>.<device>`; the time is `tst`, when the place was found: a phone sends its queue when it is back.
Transitions, waypoints, cards and commands hold no readings, `lwt` says that the phone is gone. An encrypted payload is its
owner's.
"""

from typing import Final

from hub.telemetry import clock
from hub.telemetry.decoders import strict_json
from hub.telemetry.decoders.leaves import Leaves
from hub.telemetry.decoders.row import JSON_OPTIONS, Row, Topics
from hub.telemetry.notes import Notes
from hub.telemetry.origin import Origin
from storage.reading import Reading

NAMES: Final = {
    "lat": ("latitude", "lat"),
    "lon": ("longitude", "lon"),
    "alt": ("altitude", "m"),
    "acc": ("accuracy", "m"),
    "vac": ("vertical_accuracy", "m"),
    "vel": ("velocity", "km/h"),
    "cog": ("course", "deg"),
    "batt": ("battery", "%EL"),
    "p": ("pressure", "kPa"),
}
"""What is measured, by the key: the metric and its unit. The other keys describe."""
NO_READINGS: Final = {"lwt": "event", "cmd": "command", "encrypted": "encrypted"}


def decode(body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Decode one message; see the head of this file and `Decoder`."""
    document = strict_json.record(body, origin, notes)
    if document is None:
        return []
    kind = document.get("_type")
    if kind == "lwt":
        notes.state(origin.device, False, "lwt", received_us)
        return []
    if kind != "location":
        notes.skip(NO_READINGS.get(str(kind), "event"))
        return []
    time_us = clock.device_time(document.get("tst"), origin, notes, "tst")
    leaves = Leaves(origin, received_us if time_us is None else time_us, notes)
    for key, (metric, unit) in NAMES.items():
        if key in document:
            leaves.value(metric, document[key], unit)
    if time_us is None:
        notes.without_time(len(leaves.readings))
    return leaves.readings


ROW: Final = Row(
    "owntracks",
    lambda: decode,
    topics=(Topics.of("OwnTracks", r"owntracks/(?P<joined>[^/]+/[^/]+)(?:/(?P<rest>.+))?"),),
    options=JSON_OPTIONS,
)
