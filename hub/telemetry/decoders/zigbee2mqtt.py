"""Zigbee2MQTT: `<base>/<friendly name>`, the state of a device as JSON (device-formats section 8).

Friendly names may hold `/`, so what follows a name is known by its last levels (set, get, availability) and, with
`output: attribute`, by the device list that `<base>/bridge/devices` publishes. The list also gives units and the two
values of what is binary; without it ON and OFF of `state` are truth values and units are empty.

Remembered is the newest list of each base: at most MAX_BASES of them (full: a new one is not remembered), each with at most
MAX_DEVICES devices and MAX_EXPOSES properties (what stands behind those in the list is not). A list replaces the one before.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import orjson

from hub.telemetry import clock, units
from hub.telemetry.decoders import strict_json
from hub.telemetry.decoders.leaves import Leaves
from hub.telemetry.decoders.row import JSON_OPTIONS, Row, Topics
from hub.telemetry.decoders.strict_json import JsonValue
from hub.telemetry.decoders.text import text_of, unquoted
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from hub.telemetry.scalars import number_in
from hub.telemetry.validation import MAX_DEPTH, name_fault, unit_fault
from storage.reading import Reading

MAX_BASES: Final = 20
MAX_DEVICES: Final = 2_000
MAX_EXPOSES: Final = 50_000
NO_READINGS: Final = frozenset({"last_seen", "update", "update_available", "device", "elapsed"})
ONLINE: Final = {"online": True, "offline": False}
_SWITCH: Final = {"ON": True, "OFF": False}
_TRUTHS: Final = {"true": True, "false": False}
_PUBLISHED: Final = 1  # the bit of `access`


class Expose(NamedTuple):
    """What the device list says of a property."""

    type: str = ""
    unit: str = ""
    on: JsonValue = None
    off: JsonValue = None


_UNKNOWN: Final = Expose()


class Zigbee2Mqtt:
    """The decoder of one pipeline."""

    def __init__(self) -> None:
        self._lists: dict[str, dict[str, dict[str, Expose]]] = {}  # base -> friendly name -> property

    def __call__(self, body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
        """Decode one message; see the head of this file and `Decoder`."""
        rest = _path(origin)
        base = origin.topic.removesuffix(rest)
        levels = rest.split("/")
        if levels[0] == "bridge" and len(levels) > 1:
            self._bridge(body, base, levels, origin, received_us, notes)
            return []
        devices = self._lists.get(base, {})
        if rest not in devices and len(levels) > 1:
            if levels[-1] in {"set", "get"} or levels[-2] in {"set", "get"}:
                notes.skip("command")
                return []
            if levels[-1] == "availability":
                _availability(body, "/".join(levels[:-1]), origin, received_us, notes)
                return []
        if not body:
            notes.skip("empty")  # a retained state is deleted
            return []
        if rest not in devices:
            for end in range(len(levels) - 1, 0, -1):
                name = "/".join(levels[:end])
                if name in devices:
                    values = _Values(name, origin, received_us, devices[name], notes)
                    return _attribute(body, ".".join(levels[end:]), values, origin, notes)
        return _state(body, rest, devices.get(rest, {}), origin, received_us, notes)

    def _bridge(
        self, body: bytes, base: str, levels: list[str], origin: Origin, received_us: int, notes: Notes
    ) -> None:
        match levels[1:]:
            case ["state"]:
                _availability(body, f"{base}bridge", origin, received_us, notes)
            case ["devices"]:
                notes.skip("metadata")
                if base in self._lists or len(self._lists) < MAX_BASES:
                    self._lists[base] = _device_list(body)
                else:
                    notes.fault("too_many_metrics", f"{MAX_BASES} device lists are remembered already")
            case ["request", *_]:
                notes.skip("command")
            case ["logging"]:
                notes.skip("log")
            case ["event"]:
                notes.skip("event")
            case _:
                notes.skip("metadata")


def _device_list(body: bytes) -> dict[str, dict[str, Expose]]:
    if not body:
        return {}
    try:
        document: JsonValue = orjson.loads(body)  # with no limit of items: a list of 100 devices has 30,000
    except orjson.JSONDecodeError as error:
        raise PayloadError("not_json", f"the device list: {error}") from None
    except RecursionError:
        raise PayloadError("too_deep", "the device list") from None
    if not isinstance(document, list):
        raise PayloadError("bad_description", "the device list is no array")
    devices: dict[str, dict[str, Expose]] = {}
    size = 0
    for entry in document[:MAX_DEVICES]:
        name = entry.get("friendly_name") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(name, str) or name_fault(name):
            continue
        definition = entry.get("definition")  # null for a device that is not supported
        exposes = definition.get("exposes") if isinstance(definition, dict) else None
        found = dict(_exposes(exposes, 0))
        size += len(found)
        devices[name] = found if size <= MAX_EXPOSES else {}
    return devices


def _exposes(exposes: JsonValue, depth: int) -> Iterator[tuple[str, Expose]]:
    """Yield the properties that are published; lights and the like hold theirs in `features`."""
    for expose in exposes if isinstance(exposes, list) and depth <= MAX_DEPTH else ():
        if not isinstance(expose, dict):
            continue
        yield from _exposes(expose.get("features"), depth + 1)
        name = expose.get("property")
        access = expose.get("access")
        if not isinstance(name, str) or name_fault(name) or (isinstance(access, int) and not access & _PUBLISHED):
            continue
        kind, unit = expose.get("type"), expose.get("unit")
        symbol = units.symbol(unit, name) if isinstance(unit, str) else ""
        on, off = (
            value if isinstance(value, str | bool) else None for value in map(expose.get, ("value_on", "value_off"))
        )
        yield name, Expose(str(kind)[:16], "" if unit_fault(symbol) else symbol, on, off)


def _availability(body: bytes, device: str, origin: Origin, received_us: int, notes: Notes) -> None:
    """Note whether a device is there: a bare word before 2.0, an object since."""
    if not body:
        notes.skip("empty")
        return
    text = unquoted(text_of(body, origin, notes))
    word: JsonValue = text
    if text[:1] == "{":
        document = strict_json.loads(body, origin, notes)
        word = document.get("state") if isinstance(document, dict) else None
    if not isinstance(word, str) or word not in ONLINE:
        raise PayloadError("bad_state", f"{body[:40]!r} is neither online nor offline")
    notes.state(device, ONLINE[word], word, received_us)


def _path(origin: Origin) -> str:
    """Return what follows the base: the friendly name, and what is behind it."""
    if not origin.device_in_route:
        return origin.rest or origin.topic
    _, found, behind = f"/{origin.topic}/".partition(f"/{origin.device}/")
    return f"{origin.device}/{behind}".rstrip("/") if found else origin.rest or origin.device


def _attribute(body: bytes, metric: str, values: "_Values", origin: Origin, notes: Notes) -> list[Reading]:
    """Decode the bare value of `output: attribute`."""
    if metric in NO_READINGS:
        notes.skip("metadata")
        return []
    text = text_of(body, origin, notes)
    number = number_in(text)
    values.leaf(metric, _TRUTHS.get(text, text) if number is None else number)
    notes.without_time(len(values.readings))
    return values.readings


def _state(
    body: bytes, device: str, exposes: dict[str, Expose], origin: Origin, received_us: int, notes: Notes
) -> list[Reading]:
    document = strict_json.loads(body, origin, notes)
    if not isinstance(document, dict):
        raise PayloadError("not_a_record", "the state is no object; of a single attribute the device list is not known")
    # In one of its forms: ISO 8601, the same without a zone, milliseconds.
    time_us = clock.device_time(document.get("last_seen"), origin, notes, "last_seen")
    values = _Values(device, origin, received_us if time_us is None else time_us, exposes, notes)
    values.branch("", {key: value for key, value in document.items() if key not in NO_READINGS})
    if time_us is None:
        notes.without_time(len(values.readings))
    return values.readings


class _Values(Leaves):
    """Walks one state."""

    __slots__ = ("_exposes",)

    def __init__(self, device: str, origin: Origin, time_us: int, exposes: dict[str, Expose], notes: Notes) -> None:
        super().__init__(origin, time_us, notes)
        self.device = device
        self._exposes = exposes

    def leaf(self, metric: str, value: str | float | bytes | None, unit: str = "") -> None:
        expose = self._exposes.get(metric, _UNKNOWN)
        if expose.type == "binary" and value is not None and value in (expose.on, expose.off):
            value = value == expose.on
        super().leaf(metric, value, unit)

    def text(self, metric: str, text: str) -> str | float | bool | None:
        read = super().text(metric, text)
        if not isinstance(read, str):
            return read
        expose = self._exposes.get(metric, _UNKNOWN)
        if expose.type == "numeric" and (number := number_in(read, declared=True)) is not None:
            return number
        return _SWITCH.get(read, read) if metric.rpartition(".")[2] == "state" and not expose.type else read

    def unit_of(self, metric: str) -> str:
        return self._exposes.get(metric, _UNKNOWN).unit or ("mired" if metric.endswith("color_temp") else "")


ROW: Final = Row(
    "zigbee2mqtt",
    Zigbee2Mqtt,
    topics=(Topics.of("Zigbee2MQTT", r"zigbee2mqtt/(?P<rest>.+)"),),
    options=JSON_OPTIONS | {"zone"},
    learns_units=True,
)
