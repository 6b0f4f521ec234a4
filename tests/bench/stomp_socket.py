"""A bare STOMP-over-WebSocket client for loads that stompload does not make: filters, stalled readers.

It knows just enough of both protocols to be quick; it is no reference. Frames go out masked with zeros.
"""

import socket
import struct
from collections.abc import Iterable

RECEIVE_BYTES = 1 << 20
DEADLINE_S = 60.0
_END = b"}\0"  # of a MESSAGE whose body is a JSON object; a lone NUL may also be in a WebSocket header


def websocket_text(payload: bytes) -> bytes:
    """Return a masked text message (RFC 6455, section 5.2)."""
    length = len(payload)
    if length < 126:
        header = bytes((0x81, 0x80 | length))
    elif length < 65_536:
        header = struct.pack("!BBH", 0x81, 0xFE, length)
    else:
        header = struct.pack("!BBQ", 0x81, 0xFF, length)
    return header + b"\0\0\0\0" + payload


def send_frame(destination: str, body: bytes) -> bytes:
    """Return a SEND, in a WebSocket message of its own."""
    head = f"SEND\ndestination:{destination}\ncontent-type:application/json\ncontent-length:{len(body)}\n\n".encode()
    return websocket_text(head + body + b"\0")


class Ends:
    """Counts the MESSAGEs in a stream that comes in pieces."""

    __slots__ = ("_half", "count")

    def __init__(self) -> None:
        self.count = 0
        self._half = False

    def take(self, data: bytes) -> None:
        self.count += data.count(_END) + (self._half and data.startswith(b"\0"))
        self._half = data.endswith(b"}")


class StompSocket:
    """One connection; blocking until `socket.setblocking(False)`."""

    __slots__ = ("socket",)

    def __init__(self, port: int, receive_buffer: int = 0) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(DEADLINE_S)
        if receive_buffer:
            # Before connecting: the window that is announced depends on it.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: v12.stomp\r\n\r\n".encode()
        )
        self._await(b"\r\n\r\n")
        self.socket.sendall(websocket_text(b"CONNECT\naccept-version:1.2\nhost:/\nheart-beat:0,0\n\n\0"))
        self._await(b"CONNECTED")

    def subscribe(self, subscriptions: Iterable[tuple[str, str]]) -> None:
        """Subscribe by (id, destination) and wait until all hold."""
        frames = [f"SUBSCRIBE\nid:{key}\ndestination:{destination}\n\n\0" for key, destination in subscriptions]
        frames[-1] = frames[-1].replace("\n\n\0", "\nreceipt:all-subscribed\n\n\0")
        for at in range(0, len(frames), 500):
            self.socket.sendall(websocket_text("".join(frames[at : at + 500]).encode()))
        self._await(b"all-subscribed\n\n\0")

    def close(self) -> None:
        self.socket.close()

    def _await(self, what: bytes) -> None:
        seen = b""
        while what not in seen:
            data = self.socket.recv(4_096)
            if not data or b"ERROR" in seen:
                raise ConnectionError(f"waited for {what!r}, got {seen[-300:]!r}")
            seen += data
