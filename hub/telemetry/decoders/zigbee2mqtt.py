"""Zigbee2MQTT: `<base>/<friendly name>`, the state of a device as JSON (device-formats section 8).

Friendly names may hold `/`, so what follows a name is known by its last levels (set, get, availability) and, with
`output: attribute`, by the device list that `<base>/bridge/devices` publishes. The list also gives units and the two
values of what is binary; without it ON and OFF of `state` are truth values and units are empty.

Remembered is the newest list of each base: at most MAX_BASES of them (full: a new one is not remembered), each with at most
MAX_DEVICES devices and MAX_EXPOSES properties (what stands behind those in the list is not). A list replaces the one before.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from hub.telemetry import clock, units
from hub.telemetry.decoders import strict_json
from hub.telemetry.decoders.strict_json import JsonValue
from hub.telemetry.errors import PayloadError
from hub.telemetry.notes import Notes
from hub.telemetry.origin import Origin
from hub.telemetry.scalars import NO_VALUE_TEXTS, as_stored, number_in
from hub.telemetry.validation import MAX_DEPTH, name_fault, path_fault, text_fault, unit_fault
from storage.reading import Reading

MAX_BASES: Final = 20
MAX_DEVICES: Final = 2_000
MAX_EXPOSES: Final = 50_000
NO_READINGS: Final = frozenset({"last_seen", "update", "update_available", "device", "elapsed"})
ONLINE: Final = {"online": True, "offline": False}
_SWITCH: Final = {"ON": True, "OFF": False}
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
        rest = origin.rest or origin.topic
        base = origin.topic.removesuffix(rest)
        levels = rest.split("/")
        if levels[0] == "bridge" and len(levels) > 1:
            self._bridge(body, base, levels, received_us, notes)
            return []
        devices = self._lists.get(base, {})
        if rest not in devices and len(levels) > 1:
            if levels[-1] in {"set", "get"} or levels[-2] in {"set", "get"}:
                notes.skip("command")
                return []
            if levels[-1] == "availability":
                _availability(body, "/".join(levels[:-1]), received_us, notes)
                return []
        if not body:
            notes.skip("empty")  # a retained state is deleted
            return []
        if rest not in devices:
            for end in range(len(levels) - 1, 0, -1):
                name = "/".join(levels[:end])
                if name in devices:
                    return _attribute(body, name, ".".join(levels[end:]), devices[name], received_us, notes)
        return _state(body, rest, devices.get(rest, {}), origin, received_us, notes)

    def _bridge(self, body: bytes, base: str, levels: list[str], received_us: int, notes: Notes) -> None:
        match levels[1:]:
            case ["state"]:
                _availability(body, f"{base}bridge", received_us, notes)
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
        document = strict_json.parse(body)  # with no limit of items: a list of 100 devices has 30,000
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
    """Give the properties that are published; lights and the like hold theirs in `features`."""
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


def _availability(body: bytes, device: str, received_us: int, notes: Notes) -> None:
    """Note whether a device is there: a bare word before 2.0, an object since."""
    if not body:
        notes.skip("empty")
        return
    word: JsonValue = body.decode(errors="replace").strip()
    if body.lstrip()[:1] == b"{":
        document = strict_json.loads(body)
        word = document.get("state") if isinstance(document, dict) else None
    if not isinstance(word, str) or word not in ONLINE:
        raise PayloadError("bad_state", f"{body[:40]!r} is neither online nor offline")
    notes.state(device, ONLINE[word], word, received_us)


def _attribute(
    body: bytes, device: str, metric: str, exposes: dict[str, Expose], received_us: int, notes: Notes
) -> list[Reading]:
    """Decode the bare value of `output: attribute`."""
    if metric in NO_READINGS:
        notes.skip("metadata")
        return []
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise PayloadError("bad_text", str(error)) from None
    values = _Values(device, received_us, exposes, notes)
    number = number_in(text)
    values.leaf(metric, metric, {"true": True, "false": False}.get(text, text) if number is None else number)
    notes.without_time(len(values.readings))
    return values.readings


def _state(
    body: bytes, device: str, exposes: dict[str, Expose], origin: Origin, received_us: int, notes: Notes
) -> list[Reading]:
    document = strict_json.loads(body)
    if not isinstance(document, dict):
        raise PayloadError("not_a_record", "the state is no object; of a single attribute the device list is not known")
    time_us = _time(document.get("last_seen"), origin)
    values = _Values(device, received_us if time_us is None else time_us, exposes, notes)
    values.branch("", document)
    if time_us is None:
        notes.without_time(len(values.readings))
    return values.readings


class _Values:
    """Walks one state."""

    def __init__(self, device: str, time_us: int, exposes: dict[str, Expose], notes: Notes) -> None:
        self._device = device
        self._time_us = time_us
        self._exposes = exposes
        self._notes = notes
        self.readings: list[Reading] = []

    def branch(self, prefix: str, branch: dict[str, JsonValue]) -> None:
        for key, value in branch.items():
            if not prefix and key in NO_READINGS:
                continue
            if fault := path_fault(prefix, key):
                self._notes.fault("bad_metric", fault)
                continue
            metric = f"{prefix}{key}"
            if isinstance(value, dict):
                self.branch(f"{metric}.", value)
            elif isinstance(value, list):
                self._notes.skip("array")
            else:
                self.leaf(metric, key, value)

    def leaf(self, metric: str, key: str, value: str | float | bytes | None) -> None:
        if isinstance(value, bytes):  # never in JSON
            self._notes.skip("binary")
            return
        if value is None or (isinstance(value, str) and value in NO_VALUE_TEXTS):
            self._notes.skip("no_value")
            return
        expose = self._exposes.get(metric, _UNKNOWN)
        unit = expose.unit
        if expose.type == "binary" and value in (expose.on, expose.off):
            value = value == expose.on
        elif isinstance(value, str):
            if fault := text_fault(value):
                self._notes.fault("bad_text", f"{metric!r} {fault}")
                return
            try:
                value = self._from_text(value, key, expose)
            except PayloadError as error:
                self._notes.fault(error.reason, f"{metric!r}: {error.detail}")
                return
        if not isinstance(value, bool | str):
            value = as_stored(value, self._notes)
            unit = unit or ("mired" if key == "color_temp" else "")
        else:
            unit = ""
        self.readings.append(Reading(self._device, metric, self._time_us, value, unit))

    @staticmethod
    def _from_text(text: str, key: str, expose: Expose) -> str | float:
        if expose.type == "numeric" and (number := number_in(text)) is not None:
            return number
        return _SWITCH.get(text, text) if key == "state" and not expose.type else text


def _time(stated: JsonValue, origin: Origin) -> int | None:
    """Return `last_seen` in one of its forms: ISO 8601, the same without a zone, milliseconds."""
    if stated is None:
        return None
    if isinstance(stated, str):
        return clock.from_text(stated, origin.zone)
    if isinstance(stated, bool) or not isinstance(stated, int | float):
        raise PayloadError("bad_time", "'last_seen' is no time")
    return clock.from_number(stated)
