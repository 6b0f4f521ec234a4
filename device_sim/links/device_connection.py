"""A device's connection and what is unacknowledged on it, whatever the protocol.

Rules: `window` messages are unacknowledged at most (paho would queue without limit and ignores the broker's Receive
Maximum: reliability reference, M14); up to `hold` wait beside them while the connection is down or its window full, after
that the oldest is dropped and counted, as a device with a full memory does. What is unacknowledged when a connection is
lost is sent again on the next one, oldest first, before anything new but the births of the device.

Births belong to one connection, as its will does, and come first on it: those that the schedule sends with CONNECT, or,
where the connection is made again because it was lost, those that are asked for then. Births of an earlier connection are
not sent again: an old one behind a new one would describe a session that has ended. They are given up as replaced.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from device_sim.links.connection import Changed, PersistentConnection, State
from device_sim.links.identity import TlsFiles
from device_sim.links.reactor import Reactor
from device_sim.message import Message, Will
from hub.clients.endpoint import Endpoint

LONGEST_TEND_S = 5.0


class Bounds(NamedTuple):
    """Of one connection, in messages."""

    window: int
    hold: int = 0


class DeviceEvents(NamedTuple):
    """What a connection reports to the link; one object for all connections of a protocol."""

    one_acknowledged: Callable[[Message], None]
    acknowledged: Callable[[Sequence[Message]], None]
    given_up: Callable[[Sequence[Message], str], None]
    """These will never be acknowledged: refused by the peer, or no room to hold them. The second is the reason."""
    changed: Changed
    will: Callable[[int], Will | None]
    births: Callable[[int], Sequence[Message]]
    """What the device `source` says with a connection that nobody but the connection itself asked for."""


class DeviceConnection(PersistentConnection):
    """Subclasses implement what raises NotImplementedError, here and in `PersistentConnection`."""

    __slots__ = ("_acked_at", "_again", "_bounds", "_events", "_held", "_source", "_tending")

    def __init__(
        self,
        source: int,
        address: Endpoint,
        tls: TlsFiles | None,
        reactor: Reactor,
        events: DeviceEvents,
        bounds: Bounds,
    ) -> None:
        super().__init__(address, tls, reactor, events.changed)
        self._source = source
        self._again = False  # births are to be asked for: the schedule's have left, with the connection it asked for
        self._events = events
        self._bounds = bounds
        self._held: deque[Message] | None = None
        self._acked_at = 0.0
        self._tending = False

    @property
    def in_flight(self) -> int:
        """Messages that were sent and are not acknowledged."""
        raise NotImplementedError

    @property
    def room(self) -> int:
        """How many messages could leave now; births leave whether or not there is room."""
        return max(self._bounds.window - self.in_flight, 0) if self.state is State.UP else 0

    @property
    def outstanding(self) -> int:
        return self.in_flight + (len(self._held) if self._held else 0)

    def connect(self, will: Will | None = None) -> None:
        self._again = False
        self._replaced(self._take_births())
        super().connect(will)

    def send_one(self, message: Message) -> None:
        """Do what `send` does with one message."""
        self.send((message,))

    def send(self, messages: Sequence[Message]) -> None:
        """Send what the window allows, hold the rest."""
        if self.state is State.UP and not self._held:
            fits = self.room
            if fits >= len(messages):
                self._transmit(messages)
                return
            if fits:
                self._transmit(messages[:fits])
                messages = messages[fits:]
        if self._held is None:
            self._held = deque()
        self._held.extend(messages)
        over = len(self._held) - self._bounds.hold
        if over > 0:
            dropped = [self._held.popleft() for _ in range(over)]
            self._again = self._again or any(message.birth for message in dropped)
            self._events.given_up(dropped, "device_full")

    def _transmit(self, messages: Sequence[Message]) -> None:
        """Put them on the wire and remember them until they are acknowledged."""
        raise NotImplementedError

    def _transmit_again(self, first: Sequence[Message]) -> None:
        """Put `first` on the new wire, and then what is unacknowledged, oldest first."""
        raise NotImplementedError

    def _forget_births(self) -> list[Message]:
        """Return the births that are in flight, oldest first, and leave them unacknowledged."""
        raise NotImplementedError

    def _look_after(self) -> float:
        """Keep the connection alive, notice that it is not; return in how many seconds to call again."""
        raise NotImplementedError

    def _accepted(self) -> None:
        super()._accepted()
        self._acked_at = time.monotonic()
        births: Sequence[Message] = self._take_births()
        if self._again:
            self._replaced(births)
            births = self._events.births(self._source)
        self._again = True
        self._transmit_again(births)
        self._send_held()
        if not self._tending:
            self._tending = True
            self._tend()

    def _take_births(self) -> list[Message]:
        """Return the births that are in flight or held, oldest first; forget them there."""
        births = self._forget_births()
        if self._held:
            births += [message for message in self._held if message.birth]
            self._held = deque(message for message in self._held if not message.birth)
        return births

    def _replaced(self, births: Sequence[Message]) -> None:
        if births:
            self._events.given_up(births, "replaced")

    def _tend(self) -> None:
        self._tending = self.state is State.UP
        if self._tending:
            self._reactor.timers.after(min(max(self._look_after(), 0.0), LONGEST_TEND_S), self._tend)

    def _send_held(self) -> None:
        held = self._held
        while held and (room := self.room) > 0:
            self._transmit([held.popleft() for _ in range(min(room, len(held)))])
