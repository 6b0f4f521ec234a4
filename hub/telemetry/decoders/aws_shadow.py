"""AWS IoT device shadows: `$aws/things/<thing>/shadow/[name/<name>/]<operation>`; the device is the thing.

Reported values are readings, whatever document they come in (envelopes); desired values and deltas are not.
"""

from typing import Final

from hub.telemetry.decoders import json
from hub.telemetry.decoders.row import ALL_OPTIONS, Row, Topics
from hub.telemetry.notes import Notes
from hub.telemetry.origin import Origin
from storage.reading import Reading

NO_READINGS: Final = {
    "delta": "target",
    "rejected": "answer",
    "get": "command",
    "delete": "command",
    "deleted": "event",
}


def decode(body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Decode one document; see the head of this file and `Decoder`."""
    operation, _, answer = origin.rest.rpartition("/")
    kind = NO_READINGS.get(answer) or ("event" if operation.endswith("delete") else None)
    if kind is not None:
        notes.skip(kind)
        return []
    return json.decode(body, origin, received_us, notes)


ROW: Final = Row(
    "aws_shadow",
    lambda: decode,
    topics=(Topics.of("AWS IoT shadow", r"\$aws/things/(?P<device>[^/]+)/shadow/(?P<rest>.+)"),),
    options=ALL_OPTIONS - {"metric_level"},
)
