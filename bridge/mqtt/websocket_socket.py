"""The socket below MQTT over WebSocket, in the way in which paho uses sockets; what frames are is in websocket_stream.py."""

import contextlib
import socket
import ssl
from typing import Final

from bridge.mqtt.websocket_stream import BINARY, PONG, WebSocketStream, client_frame

# Of a broker that sends pings and reads nothing, so much is kept for it.
_MAX_PONG_BYTES: Final = 128 * 1024


class WebSocketSocket:
    """A connected, non-blocking socket after its WebSocket handshake."""

    def __init__(self, raw: socket.socket) -> None:
        self._raw = raw
        self._stream = WebSocketStream()
        self._out = bytearray()
        self._framed = 0  # bytes of the caller that are in `_out`, and not reported as sent

    def recv(self, buffer_size: int) -> bytes:
        """Read once or more, until there is MQTT or nothing."""
        while not self._stream.closed:
            data = self._raw.recv(buffer_size)
            if not data:
                break
            mqtt = self._stream.feed(data)
            if (ping := self._stream.take_ping()) is not None and len(self._out) < _MAX_PONG_BYTES:
                self._out += client_frame(PONG, ping)
                with contextlib.suppress(BlockingIOError, ssl.SSLWantWriteError):
                    self._flush()
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
