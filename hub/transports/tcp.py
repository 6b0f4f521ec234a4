"""STOMP over plain TCP, with the same session as WebSocket. One LF between frames is a heart-beat; we write none."""

import contextlib
import socket
from collections.abc import Awaitable, Callable

from tornado.iostream import IOStream, StreamClosedError

from hub.http.peers import is_loopback
from hub.stomp.encoder import Framing
from hub.transports.burst_reader import BurstReader
from hub.transports.connection import Connection
from hub.transports.door import DoorStream, Sockets
from hub.transports.services import Services
from hub.transports.stream_writer import StreamEnd, StreamWriter

# The kernel's keep-alive probes that may go unanswered before the peer counts as gone, within one period of ours.
_PROBES = 4


def no_framing(length: int, text: bool) -> bytes:  # noqa: ARG001 - the signature of a Framing
    """A TCP stream needs nothing before a frame."""
    return b""


class TcpWire(StreamWriter):
    """The writing side: frames to the socket, then the end of our direction."""

    __slots__ = (
        "_connection",
        "_ending",
        "_resume",
        "_services",
        "_stalled",
        "_stranger",
        "loopback",
        "overflow",
        "peer",
    )

    def __init__(self, stream: IOStream, peer: str, services: Services) -> None:
        super().__init__(stream)
        self.peer = peer
        self.loopback = is_loopback(peer)
        self.overflow: Callable[[], None] = _nothing
        self._resume: Callable[[], None] = _nothing
        self._stalled: Callable[[], None] = _nothing
        self._services = services
        self._ending: StreamEnd | None = None
        self._stranger = True  # nobody has logged in
        self._connection: Connection

    @property
    def unread(self) -> int:
        """Return what the transport keeps of a message: nothing, the decoder has it."""
        return 0

    def attach(self, connection: Connection) -> None:
        """Set the receiver of bytes and the callback for stalls."""
        self._connection = connection
        self.overflow = connection.overflow
        self._stalled = connection.writing_stalled
        self._resume = connection.resume_writing

    def receive(self, data: bytes) -> Awaitable[None] | None:
        """Take a burst; after our end it is discarded."""
        if self._ending is not None:
            self._ending.discard(len(data))
            return None
        waiting = self._connection.receive(data)
        if self._stranger and self._connection.opened:
            self._stranger = False
            if isinstance(self._stream, DoorStream):
                self._stream.known()
        return waiting

    def resumed(self) -> None:
        if self._ending is None:
            self._resume()

    def keep_alive(self) -> None:
        """Let the kernel probe the peer: it sends no heart-beats."""
        period_s = self._services.limits.ping_s
        if not period_s:
            return
        probe_s = max(1, round(period_s / _PROBES))
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in (
                ("TCP_KEEPIDLE", max(1, round(period_s))),
                ("TCP_KEEPINTVL", probe_s),
                ("TCP_KEEPCNT", _PROBES),
            ):
                if hasattr(socket, option):  # else the kernel's own, two hours
                    self._socket.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)

    def framing(self) -> Framing:
        return no_framing

    def write(self, data: bytes) -> None:
        if self._ending is not None:
            return
        self._services.counters.bytes_out += len(data)
        self.send(data)
        if self.busy:
            self._stalled()

    def close(self, code: int, reason: str) -> None:  # noqa: ARG002 - TCP has no word for why
        """End our direction once everything is written; the peer's end, or the deadline, closes the socket."""
        if self._ending is None:
            self._ending = StreamEnd(self._stream, self._services.limits.close_s)

    def closed(self) -> None:
        """Stop the timer of the end: the socket is closed."""
        if self._ending is not None:
            self._ending.closed()


class StompTcpServer:
    """Serves STOMP on streams that the door lets in."""

    def __init__(self, services: Services, sockets: Sockets) -> None:
        self._services = services
        self._turns = sockets.turns

    async def handle_stream(self, stream: IOStream, address: tuple[str, int]) -> None:
        """Serve one client until its stream is closed."""
        services = self._services
        if services.draining or services.crowded:
            services.counters.refused["crowded"] += 1
            stream.close()
            return
        stream.set_nodelay(True)
        services.counters.accepted += 1
        wire = TcpWire(stream, address[0], services)
        connection = Connection(services, wire)
        wire.attach(connection)
        try:
            await BurstReader(stream, wire.receive, self._turns).run()
        except StreamClosedError:
            pass
        finally:
            wire.closed()
            connection.closed()


def _nothing() -> None:
    pass
