"""The client's side of the upgrade (RFC 6455, section 4.1): one request, and a look at the answer.

Connecting, TLS and the deadline are the caller's. Redirects are not followed and no extension is offered.
"""

import base64
import hashlib
import os
from collections.abc import Mapping, Sequence

MAX_HEAD_BYTES = 16_384
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # section 1.3
_END = b"\r\n\r\n"


class HandshakeError(Exception):
    """The answer is no upgrade to a WebSocket; the sentence says why not."""


def accept_for(key: bytes) -> str:
    """Return the `Sec-WebSocket-Accept` with which a server answers a key (section 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest()).decode()


class ClientHandshake:
    """One upgrade: send `request`, then `receive` until it returns bytes."""

    __slots__ = ("_head", "_key", "_offered", "request", "subprotocol")

    def __init__(
        self, host: str, path: str, subprotocols: Sequence[str] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        """Prepare the request; `host` is the Host header, with the port, and with brackets around an IPv6 address."""
        self._key = base64.b64encode(os.urandom(16))
        self._offered = subprotocols
        self._head = b""
        self.subprotocol: str | None = None
        """What the server chose, once `receive` has returned bytes."""
        lines = {
            "Host": host,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": self._key.decode(),
            **({"Sec-WebSocket-Protocol": ", ".join(subprotocols)} if subprotocols else {}),
            **(headers or {}),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.request = f"GET {path or '/'} HTTP/1.1\r\n{head}\r\n".encode()

    def receive(self, data: bytes) -> bytes | None:
        """Take bytes of the answer; once it is complete, return what came behind it: the first frames, often nothing.

        Raises:
            HandshakeError: no upgrade, or one that is not for us.
        """
        self._head += data
        head, found, rest = self._head.partition(_END)
        if len(head) > MAX_HEAD_BYTES:
            raise HandshakeError(f"no end of the HTTP response within {MAX_HEAD_BYTES} bytes")
        if not found:
            return None
        self._head = b""
        self._check(head.decode("latin-1"))
        return rest

    def _check(self, head: str) -> None:
        status, *lines = head.split("\r\n")
        if status.split(" ")[1:2] != ["101"] or not status.startswith("HTTP/1."):
            raise HandshakeError(f"refused: {status[:200]}")
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
        if headers.get("upgrade", "").lower() != "websocket" or "upgrade" not in _tokens(headers.get("connection", "")):
            raise HandshakeError("the answer switches to something that is not a WebSocket")
        if headers.get("sec-websocket-accept") != accept_for(self._key):
            raise HandshakeError("the answer to the upgrade is not for our key")
        if headers.get("sec-websocket-extensions"):
            raise HandshakeError("the server uses an extension that was not offered")
        self.subprotocol = headers.get("sec-websocket-protocol")
        if self.subprotocol is not None and self.subprotocol not in self._offered:
            raise HandshakeError(f"the server chose the subprotocol {self.subprotocol[:200]}, which was not offered")


def _tokens(value: str) -> list[str]:
    return [token.strip().lower() for token in value.split(",")]
