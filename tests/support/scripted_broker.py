"""An MQTT broker that does what a test says, byte by byte: for what no real broker can be made to do at will.

It accepts CONNECT and SUBSCRIBE, sends the PUBLISHes that the test asks for, and keeps every packet it receives in order.
It is not a broker: nobody can publish to it and it keeps no session; `session_present` is what the test wants it to say.
It speaks the versions in `levels` (4 is 3.1.1, 5 is 5) and refuses others as nats-server does; with `hangs_up` it answers
nothing to them and closes the connection, as RabbitMQ before 3.13.
"""

import asyncio
import contextlib
from typing import Self


def varint(number: int) -> bytes:
    """Encode a remaining length (MQTT 3.1.1, 2.2.3)."""
    out = bytearray()
    while True:
        number, digit = number >> 7, number & 0x7F
        out.append(digit | 0x80 if number else digit)
        if not number:
            return bytes(out)


def publish(
    topic: str,
    payload: bytes,
    mid: int = 0,
    *,
    dup: bool = False,
    retain: bool = False,
    properties: bytes | None = None,
) -> bytes:
    """Encode a PUBLISH: QoS 1 with a `mid`, else QoS 0; `properties` (b"" for none) makes it MQTT 5."""
    name = topic.encode()
    body = len(name).to_bytes(2, "big") + name + (mid.to_bytes(2, "big") if mid else b"")
    if properties is not None:
        body += varint(len(properties)) + properties
    body += payload
    first = 0x30 | (0x08 if dup else 0) | (0x02 if mid else 0) | (0x01 if retain else 0)
    return bytes([first]) + varint(len(body)) + body


class ScriptedBroker:
    """Listen on a free port within its block; the last connection is the one that `send` writes to."""

    def __init__(self, *levels: int, host: str = "127.0.0.1") -> None:
        """`levels` are 4 alone if none is given."""
        self.levels = set(levels or (4,))
        self.hangs_up = False
        self._host = host
        self.refusals = 0  # of CONNECTs in another version
        self.connect_body = b""
        self.subscribe_body = b""
        self._level = 4
        self.session_present = False
        self.connections = 0
        self.subscriptions = 0
        self.packets: list[tuple[int, bytes]] = []
        self.pubacks: list[tuple[int, int]] = []  # all of them: number of the connection, packet id
        self.after_connack = b""  # sent in one piece with the next CONNACK
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; after `stop`, on the same port."""
        self._server = await asyncio.start_server(self._serve, self._host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"mqtt://{host}:{self.port}"

    @property
    def acknowledged(self) -> list[int]:
        """Packet ids of the PUBACKs on the present connection, in order."""
        return [int.from_bytes(body, "big") for first, body in self.packets if first == 0x40]

    def send(self, data: bytes) -> None:
        assert self._writer is not None
        self._writer.write(data)

    def cut(self) -> None:
        """Drop the connection."""
        assert self._writer is not None
        self._writer.transport.abort()

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            if self._writer is not None:
                self._writer.transport.abort()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        number = 0
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                first = (await reader.readexactly(1))[0]
                length, shift = 0, 0
                while True:
                    digit = (await reader.readexactly(1))[0]
                    length |= (digit & 0x7F) << shift
                    shift += 7
                    if not digit & 0x80:
                        break
                body = await reader.readexactly(length)
                self._packet(writer, first, body)
                number = number or self.connections
                if first == 0x40:
                    self.pubacks.append((number, int.from_bytes(body, "big")))
        writer.close()

    def _packet(self, writer: asyncio.StreamWriter, first: int, body: bytes) -> None:
        kind = first >> 4
        if kind == 1 and body[6] not in self.levels:
            self.refusals += 1
            if not self.hangs_up:
                writer.write(b"\x20\x02\x00\x01")
            writer.close()
        elif kind == 1:
            self._level = body[6]
            self.connections += 1
            self.connect_body = body
            self.packets.clear()
            flags = bytes([int(self.session_present), 0])
            connack = b"\x20\x02" + flags if self._level == 4 else b"\x20\x03" + flags + b"\0"
            writer.write(connack + self.after_connack)
            self.after_connack = b""
        elif kind == 8:
            self.subscriptions += 1
            self.subscribe_body = body
            writer.write(b"\x90\x03" + body[:2] + b"\x01" if self._level == 4 else b"\x90\x04" + body[:2] + b"\0\x01")
        elif kind == 12:
            writer.write(b"\xd0\x00")
        else:
            self.packets.append((first, body))
