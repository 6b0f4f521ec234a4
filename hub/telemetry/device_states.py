"""The state of each device: `/topic/$SYS/devices/<device>`, and for `replay:last` whoever asks later.

    {"device":"press-7","online":false,"state":"lost","t":"2026-11-20T16:00:00.123Z"}

The newest by time counts; a repeat of what is known is not published (a bridge's reconnect repeats retained wills).
Bounded in devices: when full, everything is forgotten and learned again. After a restart it is filled from the database.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final, Protocol

import orjson

from hub.broker.publication import JSON_HEADERS, Address, Arrival
from hub.telemetry.clock import iso_utc
from hub.topics.destinations import Destination, Kind
from hub.topics.name_tree import NameTree
from hub.topics.names import as_level
from storage.changes import Change
from storage.device_state import DeviceState

PREFIX: Final = "$SYS/devices/"
MAX_DEVICES: Final = 200_000


class KnownDevice(Protocol):
    """A device as the catalogue knows it."""

    @property
    def name(self) -> str: ...
    @property
    def online(self) -> bool | None: ...
    @property
    def state(self) -> str: ...
    @property
    def state_us(self) -> int | None: ...


class Catalogue(Protocol):
    """The part of the store's queries that is needed to fill it."""

    def devices(self) -> AsyncIterator[KnownDevice]: ...


class DeviceStates:
    """All devices of which a state is known."""

    def __init__(self) -> None:
        self._states: dict[str, DeviceState] = {}
        self._names: NameTree[str] = NameTree()

    def __len__(self) -> int:
        return len(self._states)

    def learn(self, state: DeviceState) -> bool:
        """Store a state; return whether it is new: different from the known one, and not older."""
        known = self._states.get(state.device)
        if known is not None and state.time_us < known.time_us:
            return False
        if known is None and len(self._states) >= MAX_DEVICES:
            self._states.clear()
            self._names.clear()
        if known is None:
            self._names.add(topic_of(state.device), state.device)
        self._states[state.device] = state
        return known is None or known[1:3] != state[1:3]

    async def fill(self, catalogue: Catalogue) -> None:
        """Load from the database; raises what the catalogue raises."""
        async for device in catalogue.devices():
            if device.online is not None and device.state_us is not None:
                self.learn(DeviceState(device.name, device.online, device.state, device.state_us))

    async def follow(self, changes: Sequence[Change], catalogue: Catalogue) -> None:
        """Forget devices that were deleted or renamed, and learn the new names."""
        for change in changes:
            if change.metric is None and change.whole and change.device in self._states:
                del self._states[change.device]
                self._names.remove(topic_of(change.device))
        if any(change.new_device for change in changes):
            await self.fill(catalogue)

    def messages(self, levels: tuple[str, ...]) -> Iterator[Arrival]:
        """Return the states of the devices that a filter's levels match, one by one."""
        for device in self._names.matching(levels):
            state = self._states.get(device)
            if state is not None:
                address = Address(Destination(Kind.TOPIC, topic_of(device)))
                yield Arrival(address, body_of(state), JSON_HEADERS)


def topic_of(device: str) -> str:
    """Return the topic on which a device's state is published."""
    return f"{PREFIX}{as_level(device)}"


def body_of(state: DeviceState) -> bytes:
    """Return a state as one JSON object."""
    device, online, word, time_us = state
    return orjson.dumps({"device": device, "online": online, "state": word, "t": iso_utc(time_us)})
