"""`/topic/readings/<device>/<metric>`: where a decoded reading is published, and its JSON body.

    {"device":"press-7","metric":"temperature","t":"2026-11-20T16:00:00.123Z","v":21.5,"unit":"Cel","late":true}

`unit` and `late` are left out when empty or false; `t` has milliseconds, or microseconds where there are any. In the
destination `/`, `+`, `#` and `%` of a name are percent-encoded, so that a name is always exactly one level.
"""

from typing import Final

import orjson

from hub.telemetry.clock import iso_bytes
from hub.topics.destinations import Destination, Kind
from hub.topics.names import as_level
from storage.reading import Reading

FIRST_LEVEL: Final = "readings"


class Series:
    """What is the same for all readings of one series, and its last reading by device time."""

    __slots__ = ("_head", "_shown", "destination", "last", "sound_kind", "sound_unit", "text", "unit")

    def __init__(self, device: str, metric: str) -> None:
        self.destination = Destination(Kind.TOPIC, topic_of(device, metric))
        self.text = self.destination.text  # kept: looked up for each reading that somebody watches
        self.last: Reading | None = None
        self.unit = ""
        """As stored before the start; for decoders that learn units from retained messages, until they have."""
        # The kind and unit of a reading that was looked at and may be stored: the same objects need no second look. Texts
        # are looked at one by one.
        self.sound_kind: type | None = None
        self.sound_unit: str | None = None
        self._shown: tuple[Reading, str, bytes] | None = None  # the body of the last reading, once it was asked for
        # Without the closing brace: the body goes on from here.
        self._head = orjson.dumps({"device": device, "metric": metric})[:-1] + b',"t":"'

    def found_sound(self, value: float | str, unit: str) -> None:
        """Remember what was looked at."""
        if not isinstance(value, str):
            self.sound_kind = value.__class__
        self.sound_unit = unit

    def body(self, time_us: int, value: float | str, unit: str, *, late: bool) -> bytes:
        """Return the reading as one JSON object."""
        body = self._head + iso_bytes(time_us) + b'","v":' + orjson.dumps(value)
        if unit:
            body += b',"unit":' + orjson.dumps(unit)
        return body + (b',"late":true}' if late else b"}")

    def body_of(self, reading: Reading) -> bytes:
        """Return a last reading as one JSON object, encoded once; it is not late, whatever came after it."""
        shown = self._shown
        if shown is None or shown[0] is not reading or shown[1] != self.unit:
            body = self.body(reading.time_us, reading.value, reading.unit, late=False)
            shown = self._shown = (reading, self.unit, body)
        return shown[2]


def topic_of(device: str, metric: str) -> str:
    """Return the topic of a series."""
    return f"{FIRST_LEVEL}/{as_level(device)}/{as_level(metric)}"
