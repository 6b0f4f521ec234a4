"""The formats a class of devices may use."""

from typing import Literal, TypeAlias

FormatName: TypeAlias = Literal[
    "json",
    "json-nested",
    "json-array",
    "scalar",
    "senml-json",
    "senml-cbor",
    "cbor",
    "sparkplug",
    "tasmota",
    "shelly",
    "zigbee2mqtt",
    "esphome",
    "homie",
    "chirpstack",
    "ttn",
    "influx",
]
