"""Shelly, first generation: `shellies/<id>/<channel path>`, one bare value a topic (device-formats section 7, end).

    shellies/plug-a1/relay/0          on        relay.0=true
    shellies/plug-a1/relay/0/power    23.4      relay.0.power=23.4 W
    shellies/ht-1/sensor/temperature  21.5      sensor.temperature=21.5 Cel

The device is the level behind `shellies`, the metric the rest, joined by dots. No message has a time. What is repeated
as JSON on `status` topics (lights) or `info` is not read twice.
"""

from typing import Final

from hub.telemetry.decoders.leaves import Leaves
from hub.telemetry.decoders.row import TEXT_OPTIONS, Row, Topics
from hub.telemetry.decoders.text import is_empty, text_of, unquoted
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import JOINT, Origin
from hub.telemetry.scalars import number_in
from storage.reading import Reading

SWITCHES: Final = {"on": True, "off": False}
ONLINE: Final = {"true": True, "false": False}
NO_READINGS: Final = {
    "announce": "metadata",
    "info": "metadata",
    "command": "command",
    "set": "command",
    "status": "repeated",
    "input_event": "event",
    "settings": "metadata",
}
_UNITS: Final = {
    "power": "W",
    "reactive_power": "var",
    "voltage": "V",
    "current": "A",
    "energy": "Wmin",  # a counter in watt-minutes; meters (EM, 3EM) count in Wh
    "total": "Wh",
    "total_returned": "Wh",
    "returned_energy": "Wmin",
    "temperature": "Cel",
    "temperature_f": "degF",
    "humidity": "%RH",
    "battery": "%EL",
    "lux": "lx",
    "pos": "/100",
}
_TRUTHS: Final = frozenset(
    {"overtemperature", "overpower", "loaderror", "motion", "flood", "smoke", "vibration", "charger"}
)


def decode(body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Decode one message; see the head of this file and `Decoder`."""
    levels = origin.rest.split("/")
    kind = next((NO_READINGS[level] for level in (levels[0], levels[-1]) if level in NO_READINGS), None)
    if kind is not None or is_empty(body):
        notes.skip(kind or "empty")
        return []
    text = unquoted(text_of(body, origin, notes))
    if origin.rest == "online":
        if text not in ONLINE:
            raise PayloadError("bad_state", f"{text[:40]!r} is neither true nor false")
        notes.state(origin.device, ONLINE[text], "online" if ONLINE[text] else "offline", received_us)
        return []
    leaves = _Values(origin, received_us, notes)
    number = number_in(text, declared=levels[-1] in _UNITS)
    value = number if number is not None else SWITCHES.get(text, text)
    if levels[-1] in _TRUTHS and value in {0, 1}:
        value = bool(value)
    leaves.leaf(JOINT.join(levels), value)
    notes.without_time(len(leaves.readings))
    return leaves.readings


class _Values(Leaves):
    __slots__ = ()

    def unit_of(self, metric: str) -> str:
        parent, _, key = metric.rpartition(JOINT)
        if key == "energy" and parent.startswith("emeter"):
            return "Wh"
        return _UNITS.get(key, "")


ROW: Final = Row(
    "shelly1",
    lambda: decode,
    topics=(
        Topics.of(
            "Shelly Gen1", r"shellies/(?![^/]+/(?:events/rpc|status/))(?:(?P<device>[^/]+)/)?(?P<rest>[^/]+(?:/.+)?)"
        ),
    ),
    options=TEXT_OPTIONS,
)
