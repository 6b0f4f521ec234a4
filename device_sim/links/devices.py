"""The link of devices that have a connection each, opened, closed, cut and frozen by the schedule's LinkActions.

MQTT and STOMP devices may be mixed. What a device cannot send yet it holds, as far as its memory and MOST_OUTSTANDING of
the whole link reach, so that one dead device does not stop the others.
"""

import asyncio
import contextlib
import itertools
import operator
from collections.abc import Mapping, Sequence

from device_sim.ledger.writer import Acknowledgement
from device_sim.links.connection import GOODBYE_S, State
from device_sim.links.device_connection import Bounds, DeviceConnection, DeviceEvents
from device_sim.links.identity import MqttIdentity, StompIdentity
from device_sim.links.link import LinkCounts, LinkEvents
from device_sim.links.mqtt_connection import MqttConnection
from device_sim.links.reactor import Reactor
from device_sim.links.stomp_device import StompDevice
from device_sim.message import LinkAction, LinkActionKind, Message, Will

DEVICE_BOUNDS = Bounds(window=20, hold=10_000)
"""20 unacknowledged messages of one device: paho's, Mosquitto's and most firmware's in-flight window."""
MOST_OUTSTANDING = 200_000
"""Of all devices together; beyond it the publisher waits. About 100 MB of messages."""

_SOURCE = operator.attrgetter("source")
Identity = MqttIdentity | StompIdentity


class Arrivals:
    """Acknowledgements of one wake-up, gathered by kind; `events` is what the connections call."""

    def __init__(self, link: "DeviceLink") -> None:
        self.by: dict[Acknowledgement, list[Message]] = {Acknowledgement.PUBACK: [], Acknowledgement.RECEIPT: []}
        self.events = {
            kind: DeviceEvents(
                messages.append, messages.extend, link.give_up, link.change, link.will_again, link.born_again
            )
            for kind, messages in self.by.items()
        }


class DeviceLink:
    """Implements `link.Link`."""

    def __init__(
        self,
        identities: Mapping[int, Identity],
        events: LinkEvents,
        *,
        bounds: Bounds = DEVICE_BOUNDS,
        most: int = MOST_OUTSTANDING,
    ) -> None:
        self._events = events
        self._most = most
        self._room_changed = False
        self._all_up, self._all_down = asyncio.Event(), asyncio.Event()
        self._all_down.set()
        self.counts = LinkCounts()
        self._reactor = Reactor(self._flush)
        self.counts.problems = self._reactor.problems
        self._arrivals = Arrivals(self)
        self._connections = {source: self._make(source, identity, bounds) for source, identity in identities.items()}

    @property
    def room(self) -> int:
        self._check()
        return max(self._most - self.counts.outstanding, 0)

    @property
    def awaited(self) -> int:
        self._check()
        return sum(connection.outstanding for connection in self._connections.values() if connection.wanted)

    async def start(self) -> None:
        self._reactor.start()
        for address in {connection.address for connection in self._connections.values()}:
            await self._reactor.resolve(address)

    def send(self, messages: Sequence[Message]) -> None:
        self.counts.outstanding += len(messages)
        connections = self._connections
        sources = [message.source for message in messages]
        if len(set(sources)) == len(sources):  # as a rule: grouping costs more than putting a packet together
            for source, message in zip(sources, messages, strict=True):
                connections[source].send_one(message)
            return
        for source, run in itertools.groupby(messages, _SOURCE):
            first, *more = run
            if more:  # what one device sends at once leaves in one piece
                connections[source].send([first, *more])
            else:
                connections[source].send_one(first)

    def act(self, action: LinkAction) -> None:
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

    def give_up(self, messages: Sequence[Message], reason: str) -> None:
        """Note, for a connection, that these will not be acknowledged."""
        self.counts.give_up(len(messages), reason)
        self._room_changed = True

    def change(self, before: State, after: State) -> None:
        """Note that a connection went from one state to another."""
        if after is State.UP:
            self.counts.up += 1
            self._room_changed = True
            self._all_down.clear()
            if self.counts.up == len(self._connections):
                self._all_up.set()
        elif before is State.UP:
            self.counts.up -= 1
            if not self.counts.up:
                self._all_down.set()

    def will_again(self, source: int) -> Will | None:
        """Return the will for a connection that is made again."""
        return self._events.will(source)

    def born_again(self, source: int) -> Sequence[Message]:
        """Return the births for it, once it stands."""
        births = self._events.births(source)
        self.counts.outstanding += len(births)
        return births

    def _make(self, source: int, identity: Identity, bounds: Bounds) -> DeviceConnection:
        events = self._arrivals.events
        if isinstance(identity, MqttIdentity):
            return MqttConnection(source, identity, self._reactor, events[Acknowledgement.PUBACK], bounds)
        return StompDevice(source, identity, self._reactor, events[Acknowledgement.RECEIPT], bounds)

    def _check(self) -> None:
        if self._reactor.failure is not None:
            raise self._reactor.failure  # a bug: raise it here rather than wait for ever

    def _flush(self) -> None:
        """Hand on what one wake-up brought."""
        for kind, waiting in self._arrivals.by.items():
            if waiting:
                messages = waiting.copy()
                waiting.clear()
                self.counts.outstanding -= len(messages)
                self._events.acknowledged(messages, kind)
                self._room_changed = True
        if self._room_changed or self._reactor.failure is not None:
            self._room_changed = False
            self._events.room()
