"""MQTT in WebSocket frames (RFC 6455; MQTT 3.1.1, section 6): bytes of frames -> the MQTT bytes in them, and back.

It is not a connection: the handshake is paho's, the socket is websocket_socket.py's. paho's own wrapper makes four reads a
frame and hands over one frame at a time; brokers send a frame for each message. Here one read is one piece of MQTT, however
many frames are in it. Frames may be cut anywhere, by the network or by the broker: MQTT packets need not fit them.
"""

import os
from typing import Final

import numpy as np

from bridge.errors import MqttProtocolError

CONTINUATION: Final = 0x0
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA
_FINAL: Final = 0x80
_RESERVED: Final = 0x70
_MASKED: Final = 0x80
_MAX_CONTROL: Final = 125


class WebSocketStream:
    """The reading side of one connection; holds at most an incomplete header or control frame."""

    def __init__(self) -> None:
        self.closed = False
        self._rest = b""
        self._left = 0  # bytes of the present data frame that did not come yet
        self._ping: bytes | None = None

    def take_ping(self) -> bytes | None:
        """Return what the newest unanswered ping said; only that one needs an answer (5.5.3)."""
        ping, self._ping = self._ping, None
        return ping

    def feed(self, data: bytes) -> bytes:
        """Return the MQTT bytes that `data` brought.

        Raises:
            MqttProtocolError: what RFC 6455 or MQTT does not allow.
        """
        buf = self._rest + data if self._rest else data
        at = 0
        parts: list[bytes] = []
        while not self.closed:
            if self._left:
                part = buf[at : at + self._left]
                parts.append(part)
                at += len(part)
                self._left -= len(part)
            begin = at
            head = _head(buf, at)
            if head is None:
                break
            opcode, length, at = head
            if opcode in {BINARY, CONTINUATION}:
                self._left = length
            elif len(buf) < at + length:
                at = begin
                break
            else:
                self._control(opcode, buf[at : at + length])
                at += length
        self._rest = b"" if self.closed else buf[at:]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _control(self, opcode: int, payload: bytes) -> None:
        if opcode == CLOSE:
            self.closed = True
        elif opcode == PING:
            self._ping = payload


def _head(buf: bytes, at: int) -> tuple[int, int, int] | None:
    """Return opcode, payload length and where the payload begins; None while the header is incomplete (5.2)."""
    if len(buf) - at < 2:
        return None
    first, length = buf[at], buf[at + 1]
    opcode = first & 0x0F
    control = opcode >= CLOSE
    if first & _RESERVED or length & _MASKED:
        raise MqttProtocolError("a WebSocket frame that is masked or has reserved bits")
    if opcode not in {CONTINUATION, BINARY, CLOSE, PING, PONG}:
        raise MqttProtocolError(f"a WebSocket frame with opcode {opcode}: MQTT goes in binary frames")
    if control and (length > _MAX_CONTROL or not first & _FINAL):
        raise MqttProtocolError("a WebSocket control frame that is too long or fragmented")
    size = {126: 2, 127: 8}.get(length, 0)
    body = at + 2 + size
    if len(buf) < body:
        return None
    return opcode, int.from_bytes(buf[at + 2 : body], "big") if size else length, body


def client_frame(opcode: int, payload: bytes) -> bytes:
    """Encode a frame as clients send it: final, and masked with a new key (5.3)."""
    size = len(payload)
    if size <= _MAX_CONTROL:
        head = bytes([_FINAL | opcode, _MASKED | size])
    elif size < 1 << 16:
        head = bytes([_FINAL | opcode, _MASKED | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([_FINAL | opcode, _MASKED | 127]) + size.to_bytes(8, "big")
    key = os.urandom(4)
    # 0.1 ns a byte; Python's integers take 3, and this is what the bridge sends to the hub, too.
    padded = np.frombuffer(payload + bytes(-size % 4), np.uint32)
    masked = (padded ^ np.frombuffer(key, np.uint32)).tobytes()
    return head + key + masked[:size]
