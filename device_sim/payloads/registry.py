"""The formats that a class of devices may use, one line each."""

from typing import Final, Literal, TypeAlias

from device_sim.payloads import (
    cbor,
    chirpstack,
    esphome,
    homie,
    influx,
    json_array,
    json_flat,
    json_nested,
    scalar,
    senml,
    shelly,
    sparkplug,
    tasmota,
    thingsboard,
    ttn,
    zigbee2mqtt,
)
from device_sim.payloads.format import Format

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
    "thingsboard",
]

FORMATS: Final[dict[FormatName, Format]] = {
    "json": json_flat.FORMAT,
    "json-nested": json_nested.FORMAT,
    "json-array": json_array.FORMAT,
    "scalar": scalar.FORMAT,
    "senml-json": senml.JSON_FORMAT,
    "senml-cbor": senml.CBOR_FORMAT,
    "cbor": cbor.FORMAT,
    "sparkplug": sparkplug.FORMAT,
    "tasmota": tasmota.FORMAT,
    "shelly": shelly.FORMAT,
    "zigbee2mqtt": zigbee2mqtt.FORMAT,
    "esphome": esphome.FORMAT,
    "homie": homie.FORMAT,
    "chirpstack": chirpstack.FORMAT,
    "ttn": ttn.FORMAT,
    "influx": influx.FORMAT,
    "thingsboard": thingsboard.FORMAT,
}
