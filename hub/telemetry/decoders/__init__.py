"""The built-in decoders: one file and one line each.

A decoder is a function: body, origin (topic, device), receive time in µs since 1970 UTC, notes. It returns the readings,
an empty list for a payload that holds none by design, and raises PayloadError, nothing else, for one that it refuses.
What it leaves out it writes into the notes.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from hub.telemetry.decoders import json
from hub.telemetry.notes import Notes
from hub.telemetry.origin import Origin
from storage.reading import Reading

Decoder: TypeAlias = Callable[[bytes, Origin, int, Notes], list[Reading]]

DECODERS: Final[dict[str, Decoder]] = {
    "json": json.decode,
}

# A content-type that names a format overrides the route's decoder (device-formats section 1).
MEDIA_TYPES: Final = {
    "application/json": "json",
}
