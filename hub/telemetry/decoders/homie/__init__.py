"""Homie: devices that describe themselves in retained topics.

values      a property's text by its datatype
device      what a device said of its properties
decoder     a message to a reading, a state, or something to remember
"""

from hub.telemetry.decoders.homie.decoder import Homie

__all__ = ["Homie"]
