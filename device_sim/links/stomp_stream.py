"""A `StompClient` on a socket: it reads, writes what the socket takes, and reports to its owner.

Kept small for thousands of connections: no asyncio transport, no task; the owner's poller calls `read` and `write_more`.
"""

import socket
import ssl
import time
from typing import Protocol

from device_sim.links.identity import StompIdentity
from device_sim.links.stomp_client import Received, StompClient

READ_BYTES = 65_536


class StreamOwner(Protocol):
    """What a stream reports, on the loop and from within the stream's own methods."""

    def received(self, what: Received) -> None:
        """Something came; after CONNECTED the session may be used."""
        ...

    def lost(self, problem: str) -> None:
        """The socket is closed; "" after our own DISCONNECT."""
        ...

    def wait_to_write(self, *, wanted: bool) -> None:
        """Bytes wait, or no longer wait, for room in the socket."""
        ...

    def socket_closing(self) -> None:
        """The socket is about to be closed."""
        ...


class StompStream:
    """One session after the other: each from `begin` with an open socket to `lost` or `close`."""

    __slots__ = ("_client", "_identity", "_leaving", "_out", "_owner", "_sock")

    def __init__(self, identity: StompIdentity, owner: StreamOwner) -> None:
        self._identity = identity
        self._owner = owner
        self._sock: socket.socket | None = None
        self._client: StompClient  # of the last session begun
        self._out = b""  # what the socket did not take
        self._leaving = False

    def begin(self, sock: socket.socket) -> None:
        """Send what a connection begins with."""
        self._sock, self._client = sock, StompClient(self._identity)
        self._out, self._leaving = b"", False
        self._write(self._client.opening())

    def send(self, frames: bytes) -> None:
        """Send encoded frames."""
        self._write(self._client.wrap(frames))

    def say_goodbye(self) -> None:
        """Send DISCONNECT, close when it has left."""
        self._leaving = True
        self._write(self._client.disconnect())
        self._leave_when_written()

    def close(self, *, reset: bool = False) -> None:
        """Close without DISCONNECT; `reset` sends a TCP RST."""
        sock, self._sock = self._sock, None
        if sock is None:
            return
        self._owner.socket_closing()
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()

    def look_after(self) -> float | None:
        """Send a heart-beat if one is due; return in how many seconds to call again, None for never."""
        now = time.monotonic()
        beat = self._client.beat(now)
        if beat is None:
            self._end("no heart-beat")
            return None
        if beat:
            self._write(beat)
        deadline = self._client.deadline()
        return None if deadline is None else deadline - now

    def read(self, most: int = READ_BYTES) -> int:
        """Read what the socket has, at most `most` bytes; return how many came."""
        if self._sock is None:
            return 0
        try:
            data = self._sock.recv(most)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0
        except OSError as error:
            self._end(error.strerror or str(error))
            return 0
        if not data:
            self._end("closed the connection")
            return 0
        received = self._client.receive(data, time.monotonic())
        if self._client.answers:
            for answer in self._client.answers:
                self._write(answer)
            self._client.answers.clear()
        self._owner.received(received)
        if received.problem:
            self._end(received.problem)
        return len(data)

    def write_more(self) -> None:
        """Write on where the socket was full."""
        waiting, self._out = self._out, b""
        self._write(waiting)
        if not self._out:
            self._owner.wait_to_write(wanted=False)
            self._leave_when_written()

    def _leave_when_written(self) -> None:
        if self._leaving and not self._out:
            self._end("")

    def _write(self, data: bytes) -> None:
        if self._sock is None:
            return
        if self._out:
            self._out += data
            return
        try:
            sent = self._sock.send(data)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            sent = 0
        except OSError:
            return  # lost: the next read meets the same and says so
        self._client.wrote(time.monotonic())
        if sent < len(data):
            self._out = data[sent:]
            self._owner.wait_to_write(wanted=True)

    def _end(self, problem: str) -> None:
        if self._sock is not None:
            self.close()
            self._owner.lost(problem)
