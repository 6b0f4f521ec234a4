"""Homie: devices that describe themselves in retained topics.

values      a property's text by its datatype
device      what a device said of its properties
decoder     a message to a reading, a state, or something to remember
"""

from typing import Final

from hub.telemetry.decoders.homie.decoder import Homie
from hub.telemetry.decoders.row import TEXT_OPTIONS, Row, Topics

__all__ = ["ROW", "Homie"]

ROW: Final = Row(
    "homie", Homie, topics=(Topics.of("Homie", r"homie/(?P<rest>.+)"),), options=TEXT_OPTIONS, learns_units=True
)
