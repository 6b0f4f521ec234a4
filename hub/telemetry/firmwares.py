"""Topics that firmwares and gateways use out of the box, so that nobody has to write routes for them.

A table: what it is called, the decoder, and a pattern of the whole topic whose groups `device` and `rest` become the
Origin's. The first that matches wins; routes from the settings come before all of them. Patterns are ours alone (no text
of a client is ever compiled), without nested repetition, and run once for each topic: the pipeline remembers the answer.
"""

import re
from typing import Final, NamedTuple

# Component types of ESPHome that publish a state (device-formats section 9).
_ESPHOME: Final = (
    "sensor|binary_sensor|switch|light|fan|cover|climate|number|select|text_sensor|lock|alarm_control_panel|event|valve"
)
# Without `:<n>` only what each Shelly has: `status/temperature` is anybody's.
_SHELLY: Final = "[a-z0-9_]+:[0-9]+|sys|wifi|cloud|mqtt|ble|ws|eth"
_TASMOTA: Final = r"(?P<rest>[A-Z][A-Za-z0-9_]*)"


class Firmware(NamedTuple):
    """One row of the table."""

    name: str
    decoder: str
    topics: re.Pattern[str]


def _row(name: str, decoder: str, topics: str) -> Firmware:
    return Firmware(name, decoder, re.compile(topics))


FIRMWARES: Final = (
    _row("Sparkplug B", "sparkplug", r"spBv1\.0/(?P<rest>.+)"),
    _row("Sparkplug host before version 3", "sparkplug", r"STATE/(?P<rest>[^/]+)"),
    _row(
        "ChirpStack v4", "chirpstack", r"application/[^/]+/device/(?P<device>[^/]+)/(?P<rest>(?:event|command)/[^/]+)"
    ),
    _row("The Things Stack v3", "ttn", r"v3/[^/]+/devices/(?P<device>[^/]+)/(?P<rest>.+)"),
    _row("ThingsBoard", "thingsboard", r"v1/(?P<rest>(?:gateway|devices/me)/telemetry)"),
    _row("Homie", "homie", r"homie/(?P<rest>.+)"),
    _row("Zigbee2MQTT", "zigbee2mqtt", r"zigbee2mqtt/(?P<rest>.+)"),
    _row("Home Assistant discovery", "esphome", r"homeassistant/(?P<rest>.+/config)"),
    _row("Tasmota", "tasmota", rf"(?:tele|stat|cmnd)/(?P<device>[^/]+)/{_TASMOTA}"),
    _row("Tasmota", "tasmota", rf"(?P<device>[^/]+)/(?:tele|stat|cmnd)/{_TASMOTA}"),
    _row("Shelly Gen2", "shelly", rf"(?P<device>.+)/(?P<rest>events/rpc|status/(?:{_SHELLY})|online)"),
    _row("ESPHome", "esphome", rf"(?P<device>.+?)/(?P<rest>(?:{_ESPHOME})/.+/(?:state|command))"),
    _row("ESPHome", "esphome", r"(?P<device>.+)/(?P<rest>debug)"),
)
