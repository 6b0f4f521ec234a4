"""The built-in decoders: one file and one line each.

A decoder is a callable: body, origin (topic, device), receive time in µs since 1970 UTC, notes. It returns the readings,
an empty list for a payload that holds none by design, and raises PayloadError, nothing else, for one that it refuses.
What it leaves out it writes into the notes. It does no I/O and knows no clock.

The registry holds what makes a decoder, because some remember (Sparkplug's aliases, units from a discovery): each
pipeline has its own. What they remember is bounded.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from hub.telemetry.decoders import (
    cbor,
    chirpstack,
    content,
    esphome,
    homie,
    influx,
    json,
    senml,
    shelly,
    tasmota,
    thingsboard,
    ttn,
    zigbee2mqtt,
)
from hub.telemetry.notes import Notes
from hub.telemetry.origin import Origin
from storage.reading import Reading

Decoder: TypeAlias = Callable[[bytes, Origin, int, Notes], list[Reading]]


def _sparkplug() -> Decoder:
    # Protobuf takes as long to import as all other decoders together.
    from hub.telemetry.decoders.sparkplug import Sparkplug

    return Sparkplug()


DECODERS: Final[dict[str, Callable[[], Decoder]]] = {
    "cbor": lambda: cbor.decode,
    "chirpstack": lambda: chirpstack.decode,
    "content": lambda: content.decode,
    "influx": lambda: influx.decode,
    "json": lambda: json.decode,
    "senml": lambda: senml.decode,
    "thingsboard": lambda: thingsboard.decode,
    "tasmota": lambda: tasmota.decode,
    "ttn": lambda: ttn.decode,
    "esphome": esphome.EspHome,
    "homie": homie.Homie,
    "shelly": shelly.Shelly,
    "sparkplug": _sparkplug,
    "zigbee2mqtt": zigbee2mqtt.Zigbee2Mqtt,
}

LEARNS_UNITS: Final = frozenset({"esphome", "homie", "zigbee2mqtt"})
"""The decoders that know units from retained messages only (discoveries, descriptions). After a restart they have not seen
them, and the broker does not send them again to a session that lasts: the pipeline remembers the units for them."""

# A content-type that names a format overrides a route that only guesses (device-formats section 1).
MEDIA_TYPES: Final = {
    "application/cbor": "cbor",
    "application/json": "json",
    "application/senml+cbor": "senml",
    "application/senml+json": "senml",
}
GUESSING: Final = frozenset({"json", "content"})
"""The decoders that a content-type overrides; a firmware's topic says more than the type of its text."""
