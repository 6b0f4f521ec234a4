"""Tasmota: `<prefix>/<topic>/<name>` with the prefixes tele, stat and cmnd in any order (device-formats section 6).

The device is the topic, a metric is the path below the root of the message. SENSOR and STATUS8/STATUS10 (the same in a
wrapper) are measurements, STATE and RESULT states of the device, LWT whether it is there. Times have no zone unless they
say one: the route's counts. A gateway's ZbReceived names devices of its own.
"""

import re
from typing import Final

from hub.telemetry import clock, units
from hub.telemetry.decoders import strict_json
from hub.telemetry.decoders.leaves import Leaves
from hub.telemetry.decoders.row import Row, Topics
from hub.telemetry.decoders.strict_json import JsonValue
from hub.telemetry.decoders.text import text_of, unquoted
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from hub.telemetry.scalars import names, no_value, number_in
from hub.telemetry.validation import OLDEST_US
from storage.reading import Reading

_BEFORE_JSON: Final = 16  # bytes: spaces, a byte order mark
WRAPPERS: Final = ("StatusSNS", "StatusSTS")
PREFIXES: Final = frozenset({"tele", "stat", "cmnd"})
SWITCHES: Final = {"ON": True, "OFF": False}
# Card numbers and labels; times of other things than the message.
NO_READINGS: Final = frozenset(
    {
        "Time",
        "Id",
        "Name",
        "Device",
        "Endpoint",
        "TempUnit",
        "PressureUnit",
        "SpeedUnit",
        "TotalStartTime",
        "SSId",
        "BSSId",
        "PN532",
        "RDM6300",
    }
)
# RESULT answers every command, also `TelePeriod 60`; only these are states.
_RESULTS: Final = re.compile(r"(?:POWER|Switch|Dimmer|Channel|Shutter|ZbReceived)[0-9]{0,2}|CT", re.ASCII)
_UNITS: Final = {
    "Humidity": "%RH",
    "Illuminance": "lx",
    "PM1": "ug/m3",
    "PM2_5": "ug/m3",
    "PM10": "ug/m3",
    "CarbonDioxide": "ppm",
    "CO2": "ppm",
    "eCO2": "ppm",
    "TVOC": "ppb",
    "Distance": "cm",
    "Weight": "kg",
    "Frequency": "Hz",
    "Energy": "kWh",
    "Period": "Wh",
    "Power": "W",
    "ApparentPower": "VA",
    "ReactivePower": "var",
    "Voltage": "V",
    "Current": "A",
    "UptimeSec": "s",
    "Heap": "KiB",
    "Vcc": "V",
    "Signal": "dBm",
    "RSSI": "/100",
}
_DOTTED: Final = "PM2.5"  # the one key of Tasmota's that has a dot itself
# Of meters only: a counter or a rain gauge has a Total as well.
_UNITS_OF_METERS: Final = {"Total": "kWh", "Yesterday": "kWh", "Today": "kWh", "TotalTariff": "kWh"}
_BY_MESSAGE: Final = {
    "Temperature": "TempUnit",
    "DewPoint": "TempUnit",
    "Pressure": "PressureUnit",
    "SeaPressure": "PressureUnit",
    "Speed": "SpeedUnit",
}


def decode(body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Decode one message; see the head of this file and `Decoder`."""
    levels = origin.topic.split("/")
    name = levels[-1]
    prefix = next((level for level in levels[:-1] if level in PREFIXES), "tele")
    if prefix == "cmnd":
        notes.skip("command")
        return []
    if name == "LWT":
        return _will(text_of(body, origin, notes), origin, received_us, notes)
    if b"{" not in body[:_BEFORE_JSON]:
        return _bare(unquoted(text_of(body, origin, notes)), name, prefix, origin, received_us, notes)
    document = strict_json.record(body, origin, notes)
    if document is None:
        return []
    wrapped = next((inner for wrapper in WRAPPERS if isinstance(inner := document.get(wrapper), dict)), None)
    if wrapped is None and name.startswith(("STATUS", "INFO")):
        notes.skip("metadata")  # addresses, versions, options
        return []
    return _readings(document if wrapped is None else wrapped, name, origin, received_us, notes)


def _readings(
    document: dict[str, JsonValue], name: str, origin: Origin, received_us: int, notes: Notes
) -> list[Reading]:
    time_us = clock.device_time(document.get("Time"), origin, notes, "Time")
    if time_us is not None and time_us < OLDEST_US:  # its clock was never set
        time_us = None
    if name == "RESULT" and (answers := [key for key in document if not _RESULTS.fullmatch(key) and key != "Time"]):
        for key in answers:
            del document[key]
        notes.skip("answer")
    message = _Message(origin, received_us if time_us is None else time_us, notes, document)
    received = document.get("ZbReceived")
    if isinstance(received, dict):
        message.gateway(received)
    else:
        message.branch("", document)
    if time_us is None:
        notes.without_time(len(message.readings))
    if not message.readings and not notes.dirty:
        notes.skip("no_sensor")  # a SENSOR message with nothing but its time
    return message.readings


def _will(said: str, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    word = unquoted(said).capitalize()
    if word not in {"Online", "Offline", ""}:
        raise PayloadError("bad_state", f"{said[:40]!r} is neither Online nor Offline")
    if word:
        notes.state(origin.device, word == "Online", word, received_us)
    else:
        notes.skip("empty")
    return []


def _bare(text: str, name: str, prefix: str, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Decode a bare word: `stat/t1/POWER ON` repeats what RESULT said; flags such as POWER_LOW come only this way."""
    if not text:
        notes.skip("empty")
        return []
    if prefix == "stat":
        notes.skip("repeated")
        return []
    if text in SWITCHES:
        notes.without_time(1)
        return [Reading(origin.device, name, received_us, SWITCHES[text])]
    raise PayloadError("not_json", f"{text[:40]!r} on {name} is neither JSON nor ON or OFF")


class _Message(Leaves):
    """Walks one message."""

    __slots__ = ("_root",)
    LEFT_OUT = NO_READINGS

    def __init__(self, origin: Origin, time_us: int, notes: Notes, root: dict[str, JsonValue]) -> None:
        super().__init__(origin, time_us, notes)
        self._root = root

    def gateway(self, received: dict[str, JsonValue]) -> None:
        """Decode what a Zigbee gateway heard: each device has its address, below the gateway's name."""
        if not self._origin.gateway:
            raise PayloadError("device_mismatch", "the payload names devices behind a gateway, the route forbids it")
        for address, values in received.items():
            if isinstance(values, dict):
                self.device = f"{self._origin.device}/{address}"
                self.branch("", values)

    def array(self, metric: str, elements: list[JsonValue]) -> None:
        """Phases and tariffs are arrays of values; what is below an array of objects is no measurement."""
        for position, element in enumerate(elements):
            if isinstance(element, dict | list):
                self._notes.skip("array")
            else:
                self.leaf(f"{metric}.{position}", element)

    def text(self, metric: str, text: str) -> str | float | bool | None:
        if text in SWITCHES:
            return SWITCHES[text]
        number = None if names(metric) else number_in(text)
        if number is None:
            self._notes.skip("no_value" if no_value(text) else "text")  # names, addresses, durations for people
        return number

    def unit_of(self, metric: str) -> str:
        *parents, key = metric.replace(_DOTTED, _DOTTED.replace(".", "_")).split(".")
        while key.isdecimal() and parents:  # an element of an array
            key = parents.pop()
        stated = _BY_MESSAGE.get(key)
        if stated is not None:
            unit = self._root.get(stated)
            return units.symbol(unit, metric) if isinstance(unit, str) else ""
        meter = any(parent.upper().endswith("ENERGY") for parent in parents)
        for name in (key, *reversed(parents)):  # phases stand below: Total.Phase1
            if unit := _UNITS.get(name) or (_UNITS_OF_METERS.get(name, "") if meter else ""):
                return unit
        return ""


_LAST: Final = r"(?P<rest>[A-Z][A-Za-z0-9_]*)"

ROW: Final = Row(
    "tasmota",
    lambda: decode,
    topics=(
        Topics.of("Tasmota", rf"(?:tele|stat|cmnd)/(?P<device>[^/]+)/{_LAST}"),
        Topics.of("Tasmota", rf"(?P<device>[^/]+)/(?:tele|stat|cmnd)/{_LAST}"),
    ),
    options=frozenset({"zone", "encoding"}),
)
