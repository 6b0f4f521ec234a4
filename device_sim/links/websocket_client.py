"""The client's side of a WebSocket (RFC 6455), without I/O: the upgrade, frames out with a mask, frames in.

For thousands of connections whose peer sends many small messages: `receive` takes what the socket had and gives all whole
data messages at once. No extension is offered.
"""

import base64
import hashlib
import os
import struct
from typing import Final

from tornado.util import _websocket_mask as apply_mask

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN: Final = 0x80
MASKED: Final = 0x80
MOST_HEAD_BYTES: Final = 16_384
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


class WebSocketRefusedError(Exception):
    """The server does not speak WebSocket with us, or not any longer; the sentence says why."""


class WebSocketClient:
    """One connection. `answers` gathers what must be sent back: pongs and the Close."""

    __slots__ = ("_buffer", "_fragments", "_key", "answers", "open")

    def __init__(self) -> None:
        self._key = base64.b64encode(os.urandom(16))
        self._buffer = b""
        self._fragments: list[bytes] = []
        self.answers: list[bytes] = []
        self.open = False

    def request(self, host: str, path: str) -> bytes:
        """Encode the upgrade."""
        return (
            f"GET {path or '/'} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: v12.stomp\r\n"
            f"Sec-WebSocket-Key: {self._key.decode()}\r\n\r\n"
        ).encode()

    def receive(self, data: bytes) -> list[bytes]:
        """Take octets, give the payloads of the data messages that are complete; `open` says whether the upgrade is.

        Raises WebSocketRefusedError.
        """
        buffer = self._buffer + data if self._buffer else data
        if not self.open:
            head, found, buffer = buffer.partition(b"\r\n\r\n")
            if not found:
                if len(head) > MOST_HEAD_BYTES:
                    raise WebSocketRefusedError("no end of the HTTP response")
                self._buffer = head
                return []
            self._check(head)
            self.open = True
        messages: list[bytes] = []
        position, size = 0, len(buffer)
        while size - position >= 2:
            first, length = buffer[position], buffer[position + 1]
            start = position + 2
            if length >= 126:
                if length & MASKED:  # RFC 6455, section 5.1: a client must close the connection
                    raise WebSocketRefusedError("a masked frame, which no server may send")
                start += 2 if length == 126 else 8
                if start > size:
                    break
                length = int.from_bytes(buffer[position + 2 : start], "big")
            end = start + length
            if end > size:
                break
            payload = buffer[start:end]
            position = end
            if first in {FIN | TEXT, FIN | BINARY} and not self._fragments:
                messages.append(payload)
            else:
                self._other(first, payload, messages)
        self._buffer = buffer[position:]
        return messages

    def rest(self, data: bytes) -> bytes:
        """Hand over what is not complete yet, with `data` behind it, to be given to `receive` again; not amid fragments."""
        if self._fragments or not self._buffer:
            return data
        data, self._buffer = self._buffer + data, b""
        return data

    def _other(self, first: int, payload: bytes, messages: list[bytes]) -> None:
        opcode = first & 0x0F
        if opcode == PING:
            self.answers.append(encode(PONG, payload))
        elif opcode == CLOSE:
            self.answers.append(encode(CLOSE, payload[:2]))
            code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005
            raise WebSocketRefusedError(f"closed with {code} {payload[2:].decode('utf-8', 'replace')}".rstrip())
        elif opcode > BINARY and opcode != PONG:
            raise WebSocketRefusedError(f"a frame of the unknown kind {opcode:#x}")
        elif opcode != PONG:
            self._fragments.append(payload)
            if first & FIN:
                messages.append(b"".join(self._fragments))
                self._fragments.clear()

    def _check(self, head: bytes) -> None:
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if " 101" not in status:
            raise WebSocketRefusedError(f"refused: {status}")
        accept = base64.b64encode(hashlib.sha1(self._key + _GUID, usedforsecurity=False).digest()).decode()
        if headers.get("sec-websocket-accept") != accept:
            raise WebSocketRefusedError("the answer to the upgrade is not for our key")


def encode(opcode: int, payload: bytes) -> bytes:
    """Encode a whole frame with a fresh mask, as a client must (RFC 6455, section 5.3)."""
    length, mask = len(payload), os.urandom(4)
    if length < 126:
        head = bytes((FIN | opcode, MASKED | length))
    elif length < 65_536:
        head = struct.pack("!BBH", FIN | opcode, MASKED | 126, length)
    else:
        head = struct.pack("!BBQ", FIN | opcode, MASKED | 127, length)
    return b"%b%b%b" % (head, mask, apply_mask(mask, payload))
