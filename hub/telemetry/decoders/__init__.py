"""The registry of decoders: one file and one line each; see row.py for what a row says.

The order counts where topics of two rows match (the first wins) and nowhere else.
"""

from collections.abc import Mapping
from typing import Final

from hub.telemetry.decoders import (
    aws_shadow,
    cbor,
    chirpstack,
    content,
    esphome,
    homie,
    influx,
    json,
    meshtastic,
    owntracks,
    p1,
    rtl433,
    ruuvi,
    senml,
    shelly,
    shelly1,
    sparkplug,
    statestream,
    tasmota,
    theengs,
    thingsboard,
    ttn,
    zigbee2mqtt,
)
from hub.telemetry.decoders.row import ALL_OPTIONS, Decoder, Guess, Row

__all__ = ["DECODERS", "MEDIA_TYPES", "ROWS", "Decoder", "Row"]

ROWS: Final[tuple[Row, ...]] = (
    sparkplug.ROW,
    chirpstack.ROW,
    ttn.ROW,
    thingsboard.ROW,
    homie.ROW,
    zigbee2mqtt.ROW,
    tasmota.ROW,
    shelly1.ROW,
    shelly.ROW,
    owntracks.ROW,
    theengs.ROW,
    ruuvi.ROW,
    rtl433.ROW,
    statestream.ROW,
    p1.ROW,
    meshtastic.ROW,
    aws_shadow.ROW,
    json.ROW,
    esphome.ROW,
    influx.ROW,
    senml.ROW,
    cbor.ROW,
    Row("content", lambda: content.Content(GUESSES), options=ALL_OPTIONS, guesses=True),
)
GUESSES: Final[tuple[Guess, ...]] = tuple(row.guess for row in ROWS if row.guess is not None)
DECODERS: Final[dict[str, Row]] = {row.name: row for row in ROWS}
MEDIA_TYPES: Final[Mapping[str, str]] = {media_type: row.name for row in ROWS for media_type in row.media_types}
