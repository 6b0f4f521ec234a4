"""A simulated dashboard: one subscriber of a thousand, who reads fast, slowly, or not at all once subscribed.

Slow and stalled ones ask for no heart-beats and have a small socket buffer: what becomes of them is the hub's policy for
slow readers, not a time-out, and is not hidden by megabytes in the kernel.
"""

import functools
import socket
from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple

from device_sim.links.connection import Changed, PersistentConnection, State
from device_sim.links.device_connection import LONGEST_TEND_S
from device_sim.links.identity import StompIdentity
from device_sim.links.reactor import Reactor
from device_sim.links.stomp_client import Received
from device_sim.links.stomp_stream import READ_BYTES, StompStream
from hub.stomp.dialects import V1_2
from hub.stomp.encoder import encode_frame
from hub.stomp.frames import SUBSCRIBE

SMALL_BUFFER_BYTES: Final = 4_096
SIP_S: Final = 0.25
"""A slow reader reads four times a second."""
SUBSCRIBED: Final = "subscribed"


class Appetite(NamedTuple):
    """What a dashboard subscribes to and how it reads."""

    destinations: tuple[str, ...] = ("/topic/readings/#",)
    reads: Literal["fast", "slow", "stalled"] = "fast"
    bytes_per_s: float = 2_000.0
    headers: tuple[tuple[str, str], ...] = ()
    """Of each SUBSCRIBE: max-rate, on-slow …"""


class DashboardEvents(NamedTuple):
    """What the owner wants to know; one object for all dashboards."""

    shown: Callable[[Sequence[bytes]], None]
    """MESSAGE frames came."""
    subscribed: Callable[["Dashboard"], None]
    """The hub confirmed all subscriptions of a dashboard, for the first time or after a reconnect."""
    changed: Changed


class Dashboard(PersistentConnection):
    """Implements `stomp_stream.StreamOwner`; subscribes again with each connection."""

    __slots__ = ("_appetite", "_events", "_stream", "_tending")

    def __init__(self, identity: StompIdentity, appetite: Appetite, reactor: Reactor, events: DashboardEvents) -> None:
        if appetite.reads != "fast":
            identity = identity._replace(heart_beat_ms=0)
        super().__init__(identity.address, identity.tls, reactor, events.changed)
        self._appetite = appetite
        self._events = events
        self._stream = StompStream(identity, self)
        self._tending = False

    def received(self, what: Received) -> None:
        if what.connected:
            self._accepted()
            self._subscribe()
        if what.messages:
            self._events.shown(what.messages)
        if SUBSCRIBED in what.receipts:
            self._events.subscribed(self)
            if self._appetite.reads != "fast" and self._watch is not None:
                self._reactor.poller.set(self._watch, read=False, write=False)
            if self._appetite.reads == "slow":
                self._sip(self._attempt)

    def wait_to_write(self, *, wanted: bool) -> None:
        if self._watch is not None:
            reads = self._appetite.reads == "fast" or self.state is not State.UP
            self._reactor.poller.set(self._watch, read=reads, write=wanted)

    def _greet(self, sock: socket.socket) -> None:
        if self._appetite.reads != "fast":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
        self._watch_with(self._stream.read, self._stream.write_more)
        self._stream.begin(sock)

    def _say_goodbye(self) -> None:
        self._stream.say_goodbye()

    def _drop(self, *, reset: bool) -> None:
        self._stream.close(reset=reset)

    def _subscribe(self) -> None:
        last = len(self._appetite.destinations) - 1
        for number, destination in enumerate(self._appetite.destinations):
            headers = [("destination", destination), ("id", f"sub-{number}"), ("ack", "auto"), *self._appetite.headers]
            if number == last:
                headers.append(("receipt", SUBSCRIBED))
            self._stream.send(encode_frame(SUBSCRIBE, headers, b"", V1_2))
        if not self._tending:
            self._tending = True
            self._tend()

    def _tend(self) -> None:
        self._tending = self.state is State.UP
        if self._tending:
            again = self._stream.look_after()
            self._reactor.timers.after(LONGEST_TEND_S if again is None else max(again, 0.0), self._tend)

    def _sip(self, attempt: int) -> None:
        """Read a little, now and again while the connection of that attempt stands."""
        if self.state is State.UP and self._attempt == attempt:
            rest = int(self._appetite.bytes_per_s * SIP_S) or 1
            while rest > 0 and (came := self._stream.read(min(rest, READ_BYTES))):
                rest -= came
            self._reactor.timers.after(SIP_S, functools.partial(self._sip, attempt))
