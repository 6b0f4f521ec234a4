"""The registry of decoders: one file and one line each; see row.py for what a row says.

The order counts where topics of two rows match (the first wins) and nowhere else.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Final

from hub.telemetry.decoders import content
from hub.telemetry.decoders.row import ALL_OPTIONS, Decoder, Guess, Row

__all__ = ["DECODERS", "MEDIA_TYPES", "ROWS", "Decoder", "Row"]

FILES: Final = (
    "sparkplug",
    "chirpstack",
    "ttn",
    "thingsboard",
    "homie",
    "zigbee2mqtt",
    "tasmota",
    "shelly1",
    "shelly",
    "owntracks",
    "theengs",
    "ruuvi",
    "rtl433",
    "statestream",
    "p1",
    "meshtastic",
    "aws_shadow",
    "json",
    "esphome",
    "influx",
    "senml",
    "cbor",
)


def _row(file: str) -> Row:
    row = import_module(f"hub.telemetry.decoders.{file}").ROW
    if not isinstance(row, Row):
        raise TypeError(f"ROW of {file} is no Row")
    return row


ROWS: Final[tuple[Row, ...]] = (
    *map(_row, FILES),
    Row("content", lambda: content.Content(GUESSES), options=ALL_OPTIONS, guesses=True),
)
GUESSES: Final[tuple[Guess, ...]] = tuple(row.guess for row in ROWS if row.guess is not None)
DECODERS: Final[dict[str, Row]] = {row.name: row for row in ROWS}
MEDIA_TYPES: Final[Mapping[str, str]] = {media_type: row.name for row in ROWS for media_type in row.media_types}
