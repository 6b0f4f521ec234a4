"""MQTT over WebSocket (MQTT 3.1.1, section 6) as a socket: what paho reads and writes are MQTT's bytes alone.

Frames and the handshake are hub/websocket's. MQTT packets need not fit frames: the data of a frame is handed over as it
comes, so that a frame that is larger than all bounds costs no memory.
"""

import contextlib
import socket
import ssl
from typing import Final

from bridge.errors import BrokerUnreachableError
from hub.clients.endpoint import Endpoint
from hub.websocket.frames import BINARY, CLOSE, PONG, WebSocketViolation, client_frame, close_payload
from hub.websocket.handshake import ClientHandshake, HandshakeError
from hub.websocket.stream import StreamParser

# Of a broker that sends pings and reads nothing, so much is kept for it.
_MAX_PONG_BYTES: Final = 128 * 1024
_HANDSHAKE_BYTES: Final = 4_096


class WebSocketSocket:
    """A socket that is connected, and still blocking when it is handed over; the handshake is made here."""

    def __init__(self, raw: socket.socket, endpoint: Endpoint) -> None:
        """Shake hands; blocks.

        Raises:
            OSError, BrokerUnreachableError: with the reason.
        """
        self._raw = raw
        self._stream = StreamParser()
        self._out = bytearray()
        self._framed = 0  # bytes of the caller that are in `_out`, and not reported as sent
        handshake = ClientHandshake(endpoint.authority, endpoint.path, ("mqtt",))
        rest: bytes | None = None
        try:
            raw.sendall(handshake.request)
            while rest is None:
                if not (data := raw.recv(_HANDSHAKE_BYTES)):
                    raise BrokerUnreachableError("the WebSocket handshake: the broker closed the connection")
                rest = handshake.receive(data)
        except (HandshakeError, ConnectionError) as error:
            raise BrokerUnreachableError(f"the WebSocket handshake: {error}") from None
        self._early = self._stream.feed(rest)  # what came with the answer

    def recv(self, buffer_size: int) -> bytes:
        """Read once or more, until there is MQTT or nothing."""
        if self._early:
            early, self._early = self._early, b""
            return early
        while not self._stream.closed:
            data = self._raw.recv(buffer_size)
            if not data:
                break
            try:
                mqtt = self._stream.feed(data)
            except WebSocketViolation as violation:
                self._say(CLOSE, close_payload(violation.code, violation.reason))
                raise OSError(f"not WebSocket: {violation}") from None
            if (ping := self._stream.take_ping()) is not None and len(self._out) < _MAX_PONG_BYTES:
                self._say(PONG, ping)
            if mqtt:
                return mqtt
        return b""

    def send(self, buffer: bytes | bytearray) -> int:
        """Send all of `buffer` as one frame, or raise BlockingIOError: to be called with the same again."""
        if not self._framed:
            self._framed = len(buffer)
            self._out += client_frame(BINARY, bytes(buffer))
        self._flush()
        if self._out:
            raise BlockingIOError
        sent, self._framed = self._framed, 0
        return sent

    def _say(self, opcode: int, payload: bytes) -> None:
        self._out += client_frame(opcode, payload)
        with contextlib.suppress(BlockingIOError, ssl.SSLWantWriteError):
            self._flush()

    def _flush(self) -> None:
        while self._out:
            del self._out[: self._raw.send(self._out)]

    def close(self) -> None:
        """Close the socket."""
        self._raw.close()

    def fileno(self) -> int:
        """Return its descriptor."""
        return self._raw.fileno()

    def setblocking(self, flag: bool) -> None:
        """Set whether it blocks."""
        self._raw.setblocking(flag)
