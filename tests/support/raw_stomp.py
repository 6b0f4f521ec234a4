"""STOMP by hand: bytes as a test writes them, over TCP or WebSocket, and the server's frames taken apart.

Not a client library: nothing is sent that the test did not write, nothing is checked but the frame grammar of what the
hub sends (one command, headers, empty line, body by content-length or up to NUL). Blocking, with a deadline.
"""

import base64
import os
import socket
import struct
import time
from collections.abc import Mapping
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from hub.stomp.dialects import V1_2
from hub.stomp.escapes import unescape

DEADLINE_S = 10.0
TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA


class ServerFrame(NamedTuple):
    """A frame from the hub: headers as they stand on the wire, un-escaped in `get`."""

    command: str
    lines: tuple[str, ...]
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        """Return the first of each header, escapes undone by the rules of 1.2."""
        headers: dict[str, str] = {}
        for line in self.lines:
            name, _, value = line.partition(":")
            headers.setdefault(unescape(name, V1_2), unescape(value, V1_2))
        return headers


class Octets(Protocol):
    """Carries bytes both ways."""

    def send(self, data: bytes) -> None: ...

    def receive(self) -> bytes:
        """Return what comes next; empty: the hub has ended the connection."""

    def close(self) -> None: ...


class TcpOctets:
    """A plain socket."""

    def __init__(self, port: int, *, receive_buffer: int | None = None) -> None:
        self.socket = _connect(port, receive_buffer)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self) -> bytes:
        return self.socket.recv(65_536)

    def half_close(self) -> None:
        """Say that nothing more is sent; what comes is still read."""
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.socket.close()


class WebSocketOctets:
    """A WebSocket written by hand; `send` makes one message, text where it is UTF-8; pings are not answered."""

    def __init__(
        self,
        port: int,
        *,
        path: str = "/ws",
        host: str | None = None,
        subprotocols: str = "",
        origin: str = "",
        upgrade: bool = True,
        headers: Mapping[str, str] | None = None,
        receive_buffer: int | None = None,
    ) -> None:
        self.socket = _connect(port, receive_buffer)
        self.close_code: int | None = None
        self.close_reason = ""
        self.opcodes: list[int] = []  # of the data messages received
        self.messages: list[bytes] = []
        self.pongs = 0
        self._buffer = b""
        head = f"GET {path} HTTP/1.1\r\nHost: {host or f'127.0.0.1:{port}'}\r\n"
        head += "Upgrade: websocket\r\nConnection: Upgrade\r\n" if upgrade else ""
        head += "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        head += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + base64.b64encode(os.urandom(16)).decode() + "\r\n"
        head += f"Sec-WebSocket-Protocol: {subprotocols}\r\n" if subprotocols else ""
        head += f"Origin: {origin}\r\n" if origin else ""
        self.socket.sendall(head.encode() + b"\r\n")
        while b"\r\n\r\n" not in self._buffer:
            data = self.socket.recv(65_536)
            assert data, f"the handshake ended early: {self._buffer!r}"
            self._buffer += data
        answer, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        status, *lines = answer.decode("latin-1").split("\r\n")
        self.status = int(status.split()[1])
        self.response = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def send(self, data: bytes) -> None:
        try:
            data.decode()
        except UnicodeDecodeError:
            self.send_message(data, BINARY)
        else:
            self.send_message(data)

    def body(self) -> str:
        """Return the text of an answer that is no upgrade."""
        size = int(self.response["content-length"])
        return (self._take(size) or b"").decode()

    def send_message(self, data: bytes, opcode: int = TEXT, *, final: bool = True) -> None:
        self.socket.sendall(client_frame(data, opcode, final=final))

    def receive(self) -> bytes:
        """Return the payload of the next data message; empty after the hub's Close or the socket's end."""
        while True:
            frame = self._frame()
            if frame is None:
                return b""
            opcode, payload = frame
            if opcode == CLOSE:
                self.close_code = int.from_bytes(payload[:2], "big")
                self.close_reason = payload[2:].decode()
                return b""
            if opcode == PONG:
                self.pongs += 1
            elif opcode != PING:
                self.opcodes.append(opcode)
                self.messages.append(payload)
                return payload

    def close(self) -> None:
        self.socket.close()

    def _frame(self) -> tuple[int, bytes] | None:
        head = self._take(2)
        if head is None:
            return None
        length = head[1] & 0x7F
        if length >= 126:
            extended = self._take(2 if length == 126 else 8)
            if extended is None:
                return None
            length = int.from_bytes(extended, "big")
        payload = self._take(length)
        return None if payload is None else (head[0] & 0x0F, payload)

    def _take(self, size: int) -> bytes | None:
        parts = [self._buffer]
        have = len(self._buffer)
        while have < size:
            data = self.socket.recv(1_048_576)
            if not data:
                return None
            parts.append(data)
            have += len(data)
        joined = b"".join(parts)
        self._buffer = joined[size:]
        return joined[:size]


class RawStomp:
    """A conversation: what the test sends, and the frames that come back."""

    def __init__(self, octets: Octets) -> None:
        self.octets = octets
        self.beats = 0
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.octets.close()

    def send(self, *frames: str | bytes) -> None:
        """Send each as it is, but `^@` is NUL."""
        for frame in frames:
            data = frame.encode() if isinstance(frame, str) else frame
            self.octets.send(data.replace(b"^@", b"\0"))

    def connect(self, version: str = "1.2", *headers: str) -> ServerFrame:
        """Open the connection; return CONNECTED."""
        asked = [f"accept-version:{version}"] if version != "1.0" else []
        self.send("\n".join(["CONNECT", *asked, *headers, "", "^@"]))
        connected = self.frame()
        assert "CONNECTED" == connected.command, connected
        return connected

    def frame(self) -> ServerFrame:
        """Return the next frame."""
        frame = self.maybe_frame()
        assert frame is not None, "the hub ended the connection"
        return frame

    def maybe_frame(self) -> ServerFrame | None:
        """Return the next frame, or None when the hub ended the connection."""
        while True:
            stripped = self._buffer.lstrip(b"\n")
            self.beats += len(self._buffer) - len(stripped)
            self._buffer = stripped
            found = _split(stripped)
            if found is not None:
                frame, self._buffer = found
                return frame
            data = self.octets.receive()
            if not data:
                assert not self._buffer, f"the connection ended within a frame: {self._buffer!r}"
                return None
            self._buffer += data

    def expect(self, command: str, **headers: str) -> ServerFrame:
        """Return the next frame, which must be this command with (at least) these headers; `_` stands for `-`."""
        frame = self.frame()
        wanted = {name.replace("_", "-"): value for name, value in headers.items()}
        assert command == frame.command, frame
        assert wanted == {name: frame.headers.get(name) for name in wanted}, frame
        return frame

    def expect_end(self) -> None:
        """Nothing more comes but the end of the connection."""
        frame = self.maybe_frame()
        assert frame is None, frame

    def expect_error(self, message: str, receipt_id: str | None = None) -> ServerFrame:
        """Take an ERROR, by its reason, and the end of the connection behind it."""
        error = self.frame()
        assert ("ERROR", message, receipt_id) == (
            error.command,
            error.headers.get("message", "").partition(" (")[0],
            error.headers.get("receipt-id"),
        ), error
        assert error.body, "an ERROR explains itself"
        self.expect_end()
        return error

    def round_trip(self, name: str = "sync") -> list[ServerFrame]:
        """Have a receipt made and return the frames that came before it: all that was sent earlier is processed."""
        self.send(f"SEND\ndestination:/topic/nobody/listens\nreceipt:{name}\n\n^@")
        before: list[ServerFrame] = []
        while (frame := self.frame()).headers.get("receipt-id") != name:
            before.append(frame)
        return before


def tcp(port: int, *, receive_buffer: int | None = None) -> RawStomp:
    """Connect by TCP."""
    return RawStomp(TcpOctets(port, receive_buffer=receive_buffer))


def websocket(port: int, *, receive_buffer: int | None = None) -> RawStomp:
    """Connect by WebSocket."""
    return RawStomp(WebSocketOctets(port, receive_buffer=receive_buffer))


def client_frame(data: bytes, opcode: int = TEXT, *, final: bool = True) -> bytes:
    """Return a WebSocket frame as a client sends it, masked with zeros (a legal key)."""
    first = opcode | (0x80 if final else 0)
    if len(data) < 126:
        head = struct.pack("!BB", first, 0x80 | len(data))
    elif len(data) < 65_536:
        head = struct.pack("!BBH", first, 0x80 | 126, len(data))
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, len(data))
    return head + b"\0\0\0\0" + data


def ended(octets: Octets, deadline_s: float = DEADLINE_S) -> float:
    """Read until the hub ends the connection; return how long that took, in seconds."""
    begun = time.monotonic()
    while True:
        assert time.monotonic() - begun < deadline_s, "the hub keeps the connection"
        try:
            if not octets.receive():
                return time.monotonic() - begun
        except ConnectionResetError:
            return time.monotonic() - begun


def _connect(port: int, receive_buffer: int | None) -> socket.socket:
    made = socket.socket()
    if receive_buffer is not None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    made.settimeout(DEADLINE_S)
    made.connect(("127.0.0.1", port))
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def _split(data: bytes) -> tuple[ServerFrame, bytes] | None:
    block, separator, rest = data.partition(b"\n\n")
    if not separator:
        return None
    command, *lines = block.decode().split("\n")
    length = next((line.partition(":")[2] for line in lines if line.startswith("content-length:")), None)
    end = rest.find(b"\0") if length is None else int(length)
    if end < 0 or len(rest) <= end:
        return None
    assert 0 == rest[end], f"no NUL behind the body: {data!r}"
    return ServerFrame(command, tuple(lines), rest[:end]), rest[end + 1 :]
