"""The MQTT link: QoS 1, every PUBACK counted; a few connections shared by the whole fleet, or one for each device.

`MqttLink.shared` makes connections once and keeps them; all devices take turns on them, and a full window or a lost
connection is back-pressure for the whole fleet. `MqttLink.per_device` gives each device its own, which the schedule's
LinkActions open, close, cut and freeze; what a device cannot send yet it holds, as far as its memory and the link's
reach, so that one dead device does not stop the others.
"""

import asyncio
import contextlib
import uuid
from collections.abc import Mapping, Sequence
from typing import Self

from device_sim.ledger import Acknowledgement
from device_sim.links.address import Address
from device_sim.links.link import LinkCounts, LinkEvents
from device_sim.links.mqtt_connection import Bounds, ConnectionEvents, MqttConnection, State
from device_sim.links.mqtt_identity import MqttIdentity
from device_sim.links.reactor import Reactor
from device_sim.message import LinkAction, LinkActionKind, Message

SHARED_CONNECTIONS = 4
SHARED_WINDOW = 2_000
DEVICE_BOUNDS = Bounds(window=20, hold=10_000)
"""20 unacknowledged messages of one device: paho's, Mosquitto's and most firmware's in-flight window."""
MOST_OUTSTANDING = 200_000
"""Of all devices together; beyond it the publisher waits. About 100 MB of messages."""
GOODBYE_S = 1.0


class MqttLink:
    """Implements `link.Link`; a source's messages always take the same connection."""

    def __init__(
        self,
        identities: Mapping[int, MqttIdentity],
        events: LinkEvents,
        *,
        bounds: Bounds,
        most: int = MOST_OUTSTANDING,
        shared: bool,
    ) -> None:
        self._events = events
        self._shared = shared
        self._most = most
        self._acknowledged: list[Message] = []
        self._room_changed = False
        self._all_up = asyncio.Event()
        self._all_down = asyncio.Event()
        self._all_down.set()
        self.counts = LinkCounts()
        self._reactor = Reactor(self._flush)
        of_connection = ConnectionEvents(self._acknowledged.extend, self._give_up, self._change)
        self._connections = {
            source: MqttConnection(identity, self._reactor, of_connection, bounds)
            for source, identity in identities.items()
        }

    @classmethod
    def shared(
        cls,
        address: Address,
        events: LinkEvents,
        *,
        sources: int,
        connections: int = SHARED_CONNECTIONS,
        window: int = SHARED_WINDOW,
    ) -> Self:
        """Share `connections`, or fewer if there are fewer sources; `act` has no effect."""
        # Random, not seeded: two simulators with one seed must not throw each other off the broker.
        name = f"device-sim-{uuid.uuid4().hex[:8]}"
        identities = {
            number: MqttIdentity(address, f"{name}-{number}", address.username, address.password)
            for number in range(min(connections, sources))
        }
        return cls(identities, events, bounds=Bounds(window), shared=True)

    @classmethod
    def per_device(
        cls,
        identities: Mapping[int, MqttIdentity],
        events: LinkEvents,
        *,
        bounds: Bounds = DEVICE_BOUNDS,
        most: int = MOST_OUTSTANDING,
    ) -> Self:
        """Give each source the connection that `identities` describes; each begins with the schedule's CONNECT."""
        return cls(identities, events, bounds=bounds, most=most, shared=False)

    @property
    def room(self) -> int:
        if self._reactor.failure is not None:
            raise self._reactor.failure  # a bug: raise it here rather than wait for ever
        if self._shared:
            return min(connection.room for connection in self._connections.values())
        return max(self._most - self.counts.outstanding, 0)

    @property
    def awaited(self) -> int:
        return sum(connection.outstanding for connection in self._connections.values() if connection.wanted)

    async def start(self) -> None:
        self._reactor.start()
        for address in {connection.identity.address for connection in self._connections.values()}:
            await self._reactor.resolve(address)
        if self._shared:
            for connection in self._connections.values():
                connection.connect()
            await self._all_up.wait()

    def send(self, messages: Sequence[Message]) -> None:
        self.counts.outstanding += len(messages)
        connections = self._connections
        if len(messages) == 1 and not self._shared:
            connections[messages[0].source].send(messages)
            return
        count = len(connections)
        shares: dict[int, list[Message]] = {}
        for message in messages:
            source = message.source % count if self._shared else message.source
            share = shares.get(source)
            if share is None:
                shares[source] = [message]
            else:
                share.append(message)
        for source, share in shares.items():
            connections[source].send(share)

    def act(self, action: LinkAction) -> None:
        if self._shared:
            return
        connection = self._connections[action.source]
        match action.kind:
            case LinkActionKind.CONNECT:
                connection.connect(action.will)
            case LinkActionKind.DISCONNECT:
                connection.disconnect()
            case LinkActionKind.CUT:
                connection.cut()
            case LinkActionKind.FREEZE:
                connection.freeze()

    async def close(self) -> None:
        for connection in self._connections.values():
            connection.disconnect()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await self._all_down.wait()
        for connection in self._connections.values():
            connection.cut()
        self._reactor.close()

    def _flush(self) -> None:
        """Hand on what one wake-up brought."""
        if self._acknowledged:
            messages = self._acknowledged.copy()
            self._acknowledged.clear()
            self.counts.outstanding -= len(messages)
            self._events.acknowledged(messages, Acknowledgement.PUBACK)
            self._room_changed = True
        if self._room_changed or self._reactor.failure is not None:
            self._room_changed = False
            self._events.room()

    def _give_up(self, messages: Sequence[Message], reason: str) -> None:
        self.counts.give_up(len(messages), reason)
        self._room_changed = True

    def _change(self, before: State, after: State) -> None:
        if after is State.UP:
            self.counts.up += 1
            self._all_down.clear()
            self._room_changed = True
            if self.counts.up == len(self._connections):
                self._all_up.set()
        elif before is State.UP:
            self.counts.up -= 1
            if not self.counts.up:
                self._all_down.set()
