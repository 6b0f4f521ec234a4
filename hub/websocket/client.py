"""A client's WebSocket without I/O: the upgrade, then whole messages in and frames out; pings and Close are answered.

For thousands of connections whose peer sends many small messages. A client that wants a stream of bytes takes `stream`.
"""

from collections.abc import Sequence

from hub.websocket.frames import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    Role,
    client_frame,
    close_payload,
    read_close,
)
from hub.websocket.handshake import ClientHandshake, HandshakeError
from hub.websocket.parser import FrameParser


class WebSocketClient:
    """One connection. `answers` gathers what must be sent back: pongs and the Close."""

    __slots__ = ("_handshake", "_parser", "answers", "ended", "request")

    def __init__(self, host: str, path: str, subprotocols: Sequence[str], max_message_bytes: int) -> None:
        """Prepare the upgrade; `request` is what is to be sent first. `host` is the Host header."""
        self._handshake: ClientHandshake | None = ClientHandshake(host, path, subprotocols)
        self._parser = FrameParser(max_message_bytes, Role.CLIENT)
        self.request = self._handshake.request
        self.answers: list[bytes] = []
        self.ended = ""
        """Why nothing more will come: no upgrade, a Close, or what the RFC does not allow."""

    @property
    def open(self) -> bool:
        """Whether the server has agreed to the upgrade."""
        return self._handshake is None

    def receive(self, data: bytes) -> list[bytes]:
        """Take bytes; return the payloads of the data messages that are complete."""
        if self._handshake is not None:
            try:
                rest = self._handshake.receive(data)
            except HandshakeError as error:
                self.ended = str(error)
                return []
            if rest is None:
                return []
            data, self._handshake, self.request = rest, None, b""
        payloads: list[bytes] = []
        for opcode, payload in self._parser.feed(data):
            if self.ended:
                break
            if opcode <= BINARY:
                payloads.append(payload)
            elif opcode == PING:
                self.answers.append(client_frame(PONG, payload))
            elif opcode == CLOSE:
                code, reason = read_close(payload)
                self._end(f"closed with {code} {reason}".rstrip(), code)
        violation = self._parser.error
        if violation is not None and not self.ended:
            self._end(f"not WebSocket: {violation}", violation.code, violation.reason)
        return payloads

    def take_back(self, data: bytes) -> bytes:
        """Return what is incomplete with `data` behind it, to be passed to `receive` again; see `FrameParser.take_back`."""
        return self._parser.take_back(data)

    def _end(self, why: str, code: int, reason: str = "") -> None:
        self.ended = why
        self.answers.append(client_frame(CLOSE, close_payload(code, reason)))
