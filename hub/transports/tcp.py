"""STOMP over plain TCP, with the same session as WebSocket. One LF between frames is a heart-beat; we write none."""

import asyncio
import contextlib
import socket
from collections.abc import Callable

from tornado.iostream import IOStream, StreamClosedError
from tornado.tcpserver import TCPServer

from hub.broker.publication import Framing
from hub.transports.burst_stream import READ_BYTES, BurstReader, StreamWriter
from hub.transports.connection import Connection
from hub.transports.peers import is_loopback
from hub.transports.services import Services, TransportCounters


def no_framing(length: int, text: bool) -> bytes:  # noqa: ARG001 - the signature of a Framing
    """A TCP stream needs nothing before a frame."""
    return b""


class TcpWire(StreamWriter):
    """The writing side: frames to the socket, then the end of our direction."""

    __slots__ = ("_close_s", "_closing", "_counters", "_resume", "_stalled", "loopback", "overflow", "peer")

    def __init__(self, stream: IOStream, peer: str, counters: TransportCounters, close_s: float) -> None:
        super().__init__(stream)
        self.peer = peer
        self.loopback = is_loopback(peer)
        self.overflow: Callable[[], None] = _nothing
        self._resume: Callable[[], None] = _nothing
        self._stalled: Callable[[], None] = _nothing
        self._counters = counters
        self._close_s = close_s
        self._closing = False

    def attach(self, connection: Connection) -> None:
        """Say who is told of stalls."""
        self.overflow = connection.overflow
        self._stalled = connection.writing_stalled
        self._resume = connection.resume_writing

    def resumed(self) -> None:
        if self._closing:
            self._end()
        else:
            self._resume()

    def framing(self) -> Framing:
        return no_framing

    def write(self, data: bytes) -> None:
        if self._closing:
            return
        self._counters.bytes_out += len(data)
        self.send(data)
        if self.busy:
            self._stalled()

    def close(self, code: int, reason: str) -> None:  # noqa: ARG002 - TCP has no word for why
        """End our direction once all is written; the peer's end, or the deadline, closes the socket.

        Closing at once would make TCP reset the connection if input is unread, and destroy an ERROR on its way.
        """
        if self._closing:
            return
        self._closing = True
        asyncio.get_running_loop().call_later(self._close_s, self._stream.close)
        if not self.busy:
            self._end()

    def _end(self) -> None:
        if not self._stream.closed():
            with contextlib.suppress(OSError):
                self._stream.socket.shutdown(socket.SHUT_WR)


class StompTcpServer(TCPServer):
    """Listens for STOMP on TCP."""

    def __init__(self, services: Services) -> None:
        super().__init__(max_buffer_size=4 * READ_BYTES, read_chunk_size=READ_BYTES)
        self._services = services

    async def handle_stream(self, stream: IOStream, address: tuple[str, int]) -> None:
        services = self._services
        if services.draining or services.crowded:
            services.counters.refused["crowded"] += 1
            stream.close()
            return
        stream.set_nodelay(True)
        services.counters.accepted += 1
        wire = TcpWire(stream, address[0], services.counters, services.limits.close_s)
        connection = Connection(services, wire)
        wire.attach(connection)
        try:
            await BurstReader(stream, connection.receive).run()
        except StreamClosedError:
            pass
        finally:
            connection.closed()


def _nothing() -> None:
    pass
