"""A hub in miniature that costs next to nothing: it receipts each transaction and throws it away.

`python -m tests.bench.receipt_sink PORT`. Behind it the bridge shows its own limit. It looks for the last `receipt:` of
each WebSocket message instead of parsing frames, and unmasks with numpy.
"""

import asyncio
import base64
import hashlib
import re
import sys
from typing import cast

import numpy as np

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_KEY = re.compile(rb"(?i)sec-websocket-key:\s*(\S+)")
_RECEIPT = re.compile(rb"receipt:([^\n]+)\n")
_LAST = 256  # the COMMIT, or the head of a SEND that goes alone, stands in so many bytes from an end


def text_frame(body: bytes) -> bytes:
    """Return an unmasked text message of fewer than 126 bytes."""
    return bytes([0x81, len(body)]) + body


class Sink(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._open = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class is none by inheritance

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._open:
            self._shake_hands()
        while self._open and self._frame():
            continue

    def _shake_hands(self) -> None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        found = _KEY.search(self._buffer)
        key = found[1] if found else b""
        accept = base64.b64encode(hashlib.sha1(key + GUID, usedforsecurity=False).digest())
        upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self._write(b"%bSec-WebSocket-Accept: %b\r\n\r\n" % (upgrade, accept))
        del self._buffer[: end + 4]
        self._open = True

    def _frame(self) -> bool:
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        length, at = buffer[1] & 0x7F, 2
        if length >= 126:
            size = 2 if length == 126 else 8
            if len(buffer) < 2 + size:
                return False
            length, at = int.from_bytes(buffer[2 : 2 + size], "big"), 2 + size
        end = at + 4 + length
        if len(buffer) < end:
            return False
        key = bytes(buffer[at : at + 4])
        padded = np.frombuffer(bytes(buffer[at + 4 : end]) + bytes(-length % 4), np.uint32)
        body = (padded ^ np.frombuffer(key, np.uint32)).tobytes()[:length]
        opcode = buffer[0] & 0x0F
        del buffer[:end]
        if opcode in {1, 2}:
            self._answer(body)
        return True

    def _answer(self, body: bytes) -> None:
        if body.startswith((b"STOMP\n", b"CONNECT\n")):
            self._write(text_frame(b"CONNECTED\nversion:1.2\nheart-beat:0,0\n\n\0"))
            return
        if body.startswith(b"SUBSCRIBE\n"):
            # One for each filter of commands: the bridge is ready when all are there.
            for receipt in _RECEIPT.findall(body):
                self._write(text_frame(b"RECEIPT\nreceipt-id:%b\n\n\0" % receipt))
            return
        ends = body[:_LAST] if body.startswith(b"SEND\nreceipt:") else body[-_LAST:]
        for receipt in _RECEIPT.findall(ends)[-1:]:
            self._write(text_frame(b"RECEIPT\nreceipt-id:%b\n\n\0" % receipt))

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", int(sys.argv[1]))
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    try:
        import uvloop
    except ImportError:
        asyncio.run(main())
    else:
        uvloop.run(main())
