"""Accepts connections: the only place that does, for HTTP and for plain STOMP.

Descriptors are as finite as memory, and the hub needs some of its own: for the database, the spool, files. So the door
counts open sockets and, when all that may be open are, stops listening until one closes: those that wait are in the
kernel's queue. Going on would fail at each turn of the loop, at full CPU.

Whoever is not logged in yet is bounded by address too, so that one machine cannot take all places. Not bounded are this
machine and trusted proxies, which come for many.
"""

import asyncio
import ipaddress
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import structlog
from tornado.iostream import IOStream

from hub.http.gate import Gate
from hub.http.peers import is_loopback
from hub.settings.limits import Limits
from hub.transports.descriptors import SPARE
from hub.transports.keep_alive import KeepAlive
from hub.transports.read_turns import ReadTurns
from hub.transports.services import TransportCounters

log = structlog.get_logger("hub")

_ACCEPT_BURST = 64  # then others have their turn
_AGAIN_S = 1.0  # after the system had no descriptor, although by our count there was one
_SAY_AGAIN_S = 60.0

Handle = Callable[[IOStream, Any], Awaitable[None] | None]


class DoorStream(IOStream):
    """A stream that reports its end to the door, whoever closes it."""

    # Not in the object's dictionary, which would grow by a step: 0.3 KiB a connection.
    __slots__ = ("_door", "stranger")

    def __init__(self, made: socket.socket, door: "Door", stranger: str | None) -> None:
        super().__init__(made, max_buffer_size=4 * 65_536, read_chunk_size=65_536)
        self._door = door
        self.stranger = stranger
        """The address it counts for while nobody has logged in."""

    def known(self) -> None:
        """Somebody has logged in."""
        self._door.known(self)

    def close_fd(self) -> None:
        super().close_fd()
        self._door.left(self)


class Door:
    """Accepts on any number of listening sockets."""

    def __init__(
        self, places: int, strangers: int, unbounded: Callable[[str], bool], counters: TransportCounters
    ) -> None:
        """Hold at most `places` sockets open, and `strangers` of an address unless `unbounded` says otherwise."""
        self._places = places
        self._most_strangers = strangers
        self._unbounded = unbounded
        self._counters = counters
        self._listeners: dict[socket.socket, Handle] = {}
        self._strangers: Counter[str] = Counter()
        self._handling: set[asyncio.Future[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._paused = False
        self._retry: asyncio.TimerHandle | None = None
        self._said_at: float | None = None
        self.open = 0

    def listen(self, listeners: Iterable[socket.socket], handle: Handle) -> None:
        """Accept from now on; `handle` gets each stream and its peer's address."""
        for listener in listeners:
            listener.setblocking(False)
            self._listeners[listener] = handle
            self._loop.add_reader(listener.fileno(), self._accept, listener)

    def close(self) -> None:
        """Stop listening; what is open stays open."""
        if self._retry is not None:
            self._retry.cancel()
        for listener in self._listeners:
            self._loop.remove_reader(listener.fileno())
            listener.close()
        self._listeners.clear()

    def known(self, stream: DoorStream) -> None:
        """Stop counting a stream among its address's strangers."""
        if (address := stream.stranger) is not None:
            stream.stranger = None
            self._strangers[address] -= 1
            if not self._strangers[address]:
                del self._strangers[address]

    def left(self, stream: DoorStream) -> None:
        """A stream is closed: there is a place again."""
        self.known(stream)
        self.open -= 1
        if self._paused and self._retry is None and self.open < self._places:
            self._resume()

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPT_BURST):
            if self.open >= self._places:
                self._pause(f"all {self._places} places for connections are taken")
                return
            try:
                made, address = listener.accept()
            except (BlockingIOError, ConnectionAbortedError, InterruptedError):
                return
            except OSError as error:
                self._pause(error.strerror or str(error))
                self._retry = self._loop.call_later(_AGAIN_S, self._resume)
                return
            self._let_in(made, address, self._listeners[listener])

    def _let_in(self, made: socket.socket, address: Any, handle: Handle) -> None:
        made.setblocking(False)
        host = str(address[0])
        stranger = None if self._unbounded(host) else _counted_as(host)
        if stranger is not None:
            if self._strangers[stranger] >= self._most_strangers:
                self._counters.refused["address"] += 1
                made.close()
                return
            self._strangers[stranger] += 1
        self.open += 1
        stream = DoorStream(made, self, stranger)
        if (handling := handle(stream, address)) is not None:
            task = asyncio.ensure_future(handling)
            self._handling.add(task)
            task.add_done_callback(self._handled)

    def _handled(self, task: "asyncio.Future[None]") -> None:
        self._handling.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("connection_failed", exc_info=error)

    def _pause(self, why: str) -> None:
        if not self._paused:
            self._paused = True
            for listener in self._listeners:
                self._loop.remove_reader(listener.fileno())
        now = self._loop.time()
        if self._said_at is None or now - self._said_at >= _SAY_AGAIN_S:
            self._said_at = now
            log.warning("not_accepting", why=why, open=self.open, remedy="raise the limit of open files (ulimit -n)")

    def _resume(self) -> None:
        self._retry = None
        self._paused = False
        for listener in self._listeners:
            self._loop.add_reader(listener.fileno(), self._accept, listener)


def _counted_as(host: str) -> str:
    """Return the address under which strangers are counted: one network of IPv6 is given to one customer."""
    ip = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is None:
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return host


class Sockets:
    """What the sockets of one hub share, whatever their transport. Built once by `hub.app`, in the running loop."""

    def __init__(self, limits: Limits, gate: Gate, counters: TransportCounters) -> None:
        self.gate = gate
        self.turns = ReadTurns()
        self.keep_alive = KeepAlive(limits.ping_s)
        self.door = Door(
            limits.connections + SPARE,
            limits.strangers_per_address,
            lambda address: is_loopback(address) or gate.proxies.trusts(address),
            counters,
        )
