"""Tasmota: `<prefix>/<topic>/<name>` with the prefixes tele, stat and cmnd in any order (device-formats section 6).

The device is the topic, a metric is the path below the root of the message. SENSOR and STATUS8/STATUS10 (the same in a
wrapper) are measurements, STATE and RESULT states of the device, LWT whether it is there. Times have no zone unless they
say one: the route's counts. A gateway's ZbReceived names devices of its own.
"""

import re
from typing import Final

from hub.telemetry import clock, units
from hub.telemetry.decoders import strict_json
from hub.telemetry.decoders.strict_json import JsonValue
from hub.telemetry.errors import PayloadError
from hub.telemetry.notes import Notes
from hub.telemetry.origin import Origin
from hub.telemetry.scalars import NO_VALUE_TEXTS, as_stored, number_in
from hub.telemetry.validation import OLDEST_US, path_fault, unit_fault
from storage.reading import Reading

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
    "PM2.5": "ug/m3",
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
        return _will(body, origin, received_us, notes)
    if body.lstrip()[:1] != b"{":
        return _bare(body, name, prefix, origin, received_us, notes)
    document = strict_json.loads(body)
    if not isinstance(document, dict):
        raise PayloadError("not_a_record", "the message is no object")
    for wrapper in WRAPPERS:
        inner = document.get(wrapper)
        if isinstance(inner, dict):
            document = inner
            break
    else:
        if name.startswith(("STATUS", "INFO")):
            notes.skip("metadata")  # addresses, versions, options
            return []
    time_us = _time(document.get("Time"), origin)
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


def _will(body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    word = body.strip()
    if word not in {b"Online", b"Offline", b""}:
        raise PayloadError("bad_state", f"{body[:40]!r} is neither Online nor Offline")
    if word:
        notes.state(origin.device, word == b"Online", word.decode(), received_us)
    else:
        notes.skip("empty")
    return []


def _bare(body: bytes, name: str, prefix: str, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Decode a bare word: `stat/t1/POWER ON` says again what RESULT said; flags such as POWER_LOW come only so."""
    text = body.strip().decode(errors="replace")
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


class _Message:
    """Walks one message."""

    def __init__(self, origin: Origin, time_us: int, notes: Notes, root: dict[str, JsonValue]) -> None:
        self._origin = origin
        self._device = origin.device
        self._time_us = time_us
        self._notes = notes
        self._root = root
        self.readings: list[Reading] = []

    def gateway(self, received: dict[str, JsonValue]) -> None:
        """Decode what a Zigbee gateway heard: each device has its address, below the gateway's name."""
        if not self._origin.gateway:
            raise PayloadError("device_mismatch", "the payload names devices behind a gateway, the route forbids it")
        for address, values in received.items():
            if isinstance(values, dict):
                self._device = f"{self._origin.device}/{address}"
                self.branch("", values)

    def branch(self, prefix: str, branch: dict[str, JsonValue]) -> None:
        for key, value in branch.items():
            if key in NO_READINGS:
                continue
            if fault := path_fault(prefix, key):
                self._notes.fault("bad_metric", fault)
                continue
            metric = f"{prefix}{key}"
            if isinstance(value, dict):
                self.branch(f"{metric}.", value)
            elif isinstance(value, list):
                for position, one in enumerate(value):
                    if isinstance(one, dict | list):
                        self._notes.skip("array")
                    else:
                        self._leaf(f"{metric}.{position}", key, one)
            else:
                self._leaf(metric, key, value)

    def _leaf(self, metric: str, key: str, value: str | float | bytes | None) -> None:
        if isinstance(value, bytes):  # never in JSON
            self._notes.skip("binary")
            return
        if value is None or (isinstance(value, str) and value in NO_VALUE_TEXTS):
            self._notes.skip("no_value")
            return
        if isinstance(value, str):
            if value in SWITCHES:
                self.readings.append(Reading(self._device, metric, self._time_us, SWITCHES[value]))
                return
            try:
                number = number_in(value)
            except PayloadError as error:
                self._notes.fault(error.reason, f"{metric!r}: {error.detail}")
                return
            if number is None:
                self._notes.skip("text")  # names, addresses, durations for people
                return
            value = number
        if isinstance(value, bool):
            self.readings.append(Reading(self._device, metric, self._time_us, value))
            return
        number = as_stored(value, self._notes)
        self.readings.append(Reading(self._device, metric, self._time_us, number, self._unit(metric, key)))

    def _unit(self, metric: str, key: str) -> str:
        stated = _BY_MESSAGE.get(key)
        if stated is not None:
            unit = self._root.get(stated)
            symbol = units.symbol(unit, metric) if isinstance(unit, str) else ""
            return "" if unit_fault(symbol) else symbol
        parents = metric.removesuffix(key).split(".")
        meter = any(parent.upper().endswith("ENERGY") for parent in parents)
        for name in (key, *reversed(parents)):  # phases stand below: Total.Phase1, Power.0
            if unit := _UNITS.get(name) or (_UNITS_OF_METERS.get(name, "") if meter else ""):
                return unit
        return ""


def _time(stated: JsonValue, origin: Origin) -> int | None:
    """Return the device's time; None where it says none, or its clock was never set."""
    if stated is None:
        return None
    if not isinstance(stated, str):
        raise PayloadError("bad_time", "'Time' is no text")
    time_us = clock.from_text(stated, origin.zone)
    return None if time_us is None or time_us < OLDEST_US else time_us
