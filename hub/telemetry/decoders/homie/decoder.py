"""Homie, versions 3, 4 and 5: one retained text per property (device-formats section 10).

    homie/super-car/engine/temperature     21.5     versions 3, 4: device super-car, metric engine.temperature
    homie/5/super-car/engine/temperature   21.5     version 5

Levels that begin with `$` describe: `$unit` and `$datatype` of a property (3, 4) or the `$description` of a device (5) give
units and types, `$state` gives presence, the rest is counted as what it is. A device that is `lost` takes its children with
it (5); when it is back they are what they said of themselves.

No payload has a time. The state's time is that of receipt.
"""

import re
from typing import Final

from hub.telemetry.decoders.homie.device import MAX_DEVICES, MAX_PROPERTIES, Device, Property, symbol
from hub.telemetry.decoders.homie.values import datatype_of, value_of
from hub.telemetry.decoders.memory import Memory
from hub.telemetry.decoders.strict_json import loads
from hub.telemetry.decoders.text import text_of
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from hub.telemetry.scalars import as_stored
from hub.telemetry.validation import name_fault
from storage.reading import Reading

VERSION_5: Final = "5"
LOST: Final = "lost"
MAX_LOST: Final = 1_000  # of the devices below one that is lost; each is published and stored
STATES: Final = {"init": True, "ready": True, "alert": True, "sleeping": True, "disconnected": False, LOST: False}
"""The words of `$state`, and whether the device is there; one that sleeps is, and will speak again."""
_BESIDE_READINGS: Final = {"$target": "target", "set": "command"}
_OF_DEVICES: Final = {"$log": "log", "$alert": "alert"}
_ARRAY_NODE: Final = re.compile(r"(.+)_[0-9]+", re.ASCII)  # version 3: attributes of lights_0 stand at lights
_UNKNOWN: Final = Property()


class Homie:
    """The decoder; it remembers descriptions, bounded as memory.py says."""

    def __init__(self, max_devices: int = MAX_DEVICES, max_properties: int = MAX_PROPERTIES) -> None:
        self.devices = Memory(Device, max_devices, max_properties)

    def __call__(self, body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
        """Decode one message; see the head of this file and `Decoder`."""
        base, device, levels = _place(origin)
        if fault := name_fault(device):
            raise PayloadError("bad_device", f"the name {device[:80]!r} {fault}")
        message = _Message(self.devices, base, device, body, origin, received_us, notes)
        match levels:
            case _ if device == "$broadcast":
                notes.skip("event")
            case ["$state"]:
                message.presence()
            case ["$description"]:
                message.description()
            case [str() as attribute, *_] if attribute.startswith("$"):
                notes.skip(_OF_DEVICES.get(attribute, "metadata"))
            case [_, str() as attribute] if attribute.startswith("$"):
                notes.skip("metadata")
            case [node, name]:
                return message.value(node, name)
            case [_, _, str() as beside] if beside in _BESIDE_READINGS:
                notes.skip(_BESIDE_READINGS[beside])
            case [node, name, str() as attribute] if attribute.startswith("$"):
                message.attribute(node, name, attribute)
            case _:
                raise PayloadError("unknown_topic", "Homie's are <root>/<device>/<node>/<property>")
        return []


class _Message:
    """One message of a device."""

    def __init__(
        self,
        devices: Memory[Device],
        base: str,
        device: str,
        body: bytes,
        origin: Origin,
        received_us: int,
        notes: Notes,
    ) -> None:
        self._devices = devices
        self._base = base
        self._origin = origin
        self._device = device
        self._body = body
        self._received_us = received_us
        self._notes = notes

    def value(self, node: str, name: str) -> list[Reading]:
        if not self._body:  # a retained topic is deleted
            self._notes.skip("empty")
            return []
        metric = f"{node}.{name}"
        device = self._devices.known(self._key(self._device), self._received_us)
        held = _UNKNOWN if device is None else _property(device, node, name)
        value = value_of(self._body, held.datatype, self._origin, self._notes)
        if value is None:
            self._notes.skip("no_value")
            return []
        if not isinstance(value, str | bool):
            value = as_stored(value, self._notes)
        self._notes.without_time(1)
        return [Reading(self._device, metric, self._received_us, value, held.unit)]

    def attribute(self, node: str, name: str, attribute: str) -> None:
        """Learn a property's attribute, versions 3 and 4; a deleted one is no longer known."""
        self._notes.skip("metadata")
        metric = f"{node}.{name}"
        if attribute == "$unit":
            self._learn(metric, unit=symbol(self._text(), metric))
        elif attribute == "$datatype":
            self._learn(metric, datatype=datatype_of(self._text()))

    def description(self) -> None:
        """Learn all of a device, version 5; without a description it is gone."""
        self._notes.skip("metadata")
        if not self._body:
            self._devices.forget(self._key(self._device))
            return
        device = self._devices.heard(self._key(self._device), self._received_us)
        before = device.size
        if not device.describe(loads(self._body, self._origin, self._notes), self._devices.limit(device)):
            self._no_room()
        self._devices.resized(device, before)

    def presence(self) -> None:
        if not self._body:
            self._notes.skip("empty")
            return
        word = self._text()
        if word not in STATES:
            raise PayloadError("bad_state", f"{word[:80]!r} is no state of Homie")
        device = self._devices.heard(self._key(self._device), self._received_us)
        before, device.state = device.state, word
        self._state(self._device, word)
        if LOST in {before, word}:
            self._take_along(device, back=word != LOST)

    def _take_along(self, device: Device, *, back: bool) -> None:
        """Note the states of the children, and theirs, MAX_LOST at most: a loop in the descriptions is walked once."""
        seen = {self._device}
        waiting = list(device.children)
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            if len(seen) > MAX_LOST:
                self._notes.fault("too_many_metrics", f"the device has more than {MAX_LOST} devices below it")
                return
            seen.add(name)
            child = self._devices.peek(self._key(name))
            if not back:
                self._state(name, LOST)
            elif child is not None and child.state:
                self._state(name, child.state)
            waiting += () if child is None else child.children

    def _state(self, device: str, word: str) -> None:
        self._notes.state(device, STATES[word], word, self._received_us)

    def _learn(self, metric: str, **attribute: str) -> None:
        device = self._devices.heard(self._key(self._device), self._received_us)
        before = device.size
        if not device.learn(metric, self._devices.limit(device), **attribute):
            self._no_room()
        self._devices.resized(device, before)

    def _no_room(self) -> None:
        self._notes.fault("too_many_metrics", "the device's properties cannot be remembered")

    def _key(self, device: str) -> str:
        return f"{self._base}{device}"

    def _text(self) -> str:
        return text_of(self._body, self._origin, self._notes)


def _place(origin: Origin) -> tuple[str, str, list[str]]:
    """Return what stands before the device in the topic, the device, and the levels behind it."""
    path = origin.rest or origin.topic
    if origin.device_in_route:
        before, named, behind = f"/{origin.topic}".partition(f"/{origin.device}/")
        return (before, origin.device, behind.split("/")) if named else ("", origin.device, path.split("/"))
    base = origin.topic.removesuffix(path)
    if path.startswith(f"{VERSION_5}/"):
        base, path = f"{base}{VERSION_5}/", path.removeprefix(f"{VERSION_5}/")
    device, *levels = path.split("/")
    return base, device, levels


def _property(device: Device, node: str, name: str) -> Property:
    held = device.properties.get(f"{node}.{name}")
    if held is None and (element := _ARRAY_NODE.fullmatch(node)) is not None:
        held = device.properties.get(f"{element[1]}.{name}")
    return _UNKNOWN if held is None else held
