"""A five-line echo on the burst protocol, over real sockets; and the private names of Tornado that it stands on."""

import asyncio
import base64
import inspect
import struct
from collections.abc import AsyncIterator, Awaitable

import pytest
import tornado
import tornado.httpserver
import tornado.testing
import tornado.web
from tornado.iostream import IOStream
from tornado.websocket import WebSocketHandler, WebSocketProtocol13, _WebSocketParams

from hub.transports.burst_websocket import MOST_PONGS, BurstWebSocketHandler
from hub.transports.read_turns import ReadTurns
from hub.websocket.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Message
from tests.support.waiting import wait_until
from tests.unit.hub.websocket.test_parser import frame


class Turning(BurstWebSocketHandler):
    shared: ReadTurns

    @property
    def turns(self) -> ReadTurns:
        return self.shared


class Echo(Turning):
    close_s = 0.5
    opened: "list[Echo]"
    ends = 0

    def open(self, *args: str, **kwargs: str) -> None:  # noqa: ARG002 - Tornado's signature
        self.opened.append(self)

    def on_end(self) -> None:
        type(self).ends += 1

    def on_burst(self, messages: list[Message]) -> Awaitable[None] | None:
        for message in messages:
            self.write_message(message.payload, binary=message.opcode == BINARY)
        return None


class Waiting(Turning):
    """Takes its time: what it returns is awaited before more is read."""

    bursts: list[int]
    gate: asyncio.Event
    opened: "list[Waiting]"

    def open(self, *args: str, **kwargs: str) -> None:  # noqa: ARG002 - Tornado's signature
        self.opened.append(self)

    def on_burst(self, messages: list[Message]) -> Awaitable[None]:
        self.bursts.append(sum(len(message.payload) for message in messages))
        return self._wait()

    async def _wait(self) -> None:
        await self.gate.wait()


class Peer:
    """A WebSocket client written by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.status = ""

    async def open(self, path: str, version: str = "13") -> None:
        key = base64.b64encode(b"0123456789abcdef").decode()
        self.writer.write(
            f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: {version}\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n".encode()
        )
        self.status = (await self.reader.readuntil(b"\r\n\r\n")).decode()

    def send(self, *frames: bytes) -> None:
        self.writer.write(b"".join(frames))

    async def dribble(self, data: bytes) -> None:
        """Send one byte a packet, as far as the kernel lets us."""
        for byte in data:
            self.writer.write(bytes((byte,)))
            await self.writer.drain()

    async def receive(self) -> tuple[int, bytes]:
        """Return the opcode and the payload of the next frame; servers do not mask."""
        first, second = await self.reader.readexactly(2)
        assert first & 0xF0 == 0x80, "whole and without extension"
        size = second
        if second == 126:
            (size,) = struct.unpack("!H", await self.reader.readexactly(2))
        elif second == 127:
            (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
        return first & 0x0F, await self.reader.readexactly(size)

    async def receive_close(self) -> int:
        opcode, payload = await self.receive()
        while opcode != CLOSE:
            opcode, payload = await self.receive()
        return int.from_bytes(payload[:2], "big")

    async def ended(self) -> bool:
        return await self.reader.read() == b""


@pytest.fixture
async def port() -> AsyncIterator[int]:
    Waiting.bursts, Waiting.gate = [], asyncio.Event()
    Echo.opened, Echo.ends, Waiting.opened = [], 0, []
    Turning.shared = ReadTurns()
    listener, port = tornado.testing.bind_unused_port()
    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/echo", Echo), ("/waiting", Waiting)]))
    server.add_socket(listener)
    yield port
    server.stop()
    await server.close_all_connections()


@pytest.fixture
async def peer(port: int) -> AsyncIterator[Peer]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    made = Peer(reader, writer)
    await made.open("/echo")
    yield made
    writer.close()
    await writer.wait_closed()


def test_tornados_private_names_are_where_they_were() -> None:
    """Fails when the pinned version moves: then look at each override of `burst_websocket` again."""
    assert (6, 6) == tornado.version_info[:2]
    assert ["ping_interval", "ping_timeout", "max_message_size", "compression_options"] == list(
        inspect.signature(_WebSocketParams).parameters
    )
    assert ["self", "handler", "mask_outgoing", "params"] == list(
        inspect.signature(WebSocketProtocol13.__init__).parameters
    )
    for name in ("_receive_frame_loop", "_send_pong", "_abort", "close", "_accept_connection"):
        assert callable(getattr(WebSocketProtocol13, name)), name
    assert inspect.iscoroutinefunction(WebSocketProtocol13._receive_frame_loop)
    assert "_receive_frame_loop" in inspect.getsource(WebSocketProtocol13._accept_connection)
    source = inspect.getsource(WebSocketProtocol13)
    for attribute in (
        "client_terminated",
        "server_terminated",
        "close_code",
        "close_reason",
        "self.stream",
        "self.handler",
    ):
        assert attribute in source, attribute
    assert callable(WebSocketHandler.get_websocket_protocol)
    assert callable(WebSocketHandler.on_ws_connection_close)
    assert ["self", "close_code", "close_reason"] == list(
        inspect.signature(WebSocketHandler.on_ws_connection_close).parameters
    )
    assert "partial" in inspect.signature(IOStream.read_bytes).parameters
    assert callable(IOStream.writing)


async def test_messages_are_echoed_with_their_opcode_and_no_extension_is_negotiated(peer: Peer) -> None:
    assert "101 Switching Protocols" in peer.status
    assert "Extensions" not in peer.status
    peer.send(frame(TEXT, "grüße".encode()), frame(BINARY, b"\xff\0"), frame(TEXT), frame(BINARY, b"x" * 70_000))
    expected = [(TEXT, "grüße".encode()), (BINARY, b"\xff\0"), (TEXT, b""), (BINARY, b"x" * 70_000)]
    assert expected == [await peer.receive() for _ in range(4)]


async def test_frames_come_through_byte_by_byte(peer: Peer) -> None:
    data = (
        frame(TEXT, b"a" * 130) + frame(TEXT, b"\xc3", final=False) + frame(PING, b"p") + frame(CONTINUATION, b"\xa9")
    )
    await peer.dribble(data)
    received = [await peer.receive() for _ in range(3)]
    # Bytes that the kernel brought together are a burst, whose ping is answered first.
    assert [(PONG, b"p")] == [one for one in received if one[0] == PONG]
    assert [(TEXT, b"a" * 130), (TEXT, b"\xc3\xa9")] == [one for one in received if one[0] == TEXT]


async def test_control_frames_between_fragments_are_answered(peer: Peer) -> None:
    peer.send(frame(BINARY, b"1", final=False))
    peer.send(frame(PING, b"now"))
    assert (PONG, b"now") == await peer.receive()
    peer.send(frame(CONTINUATION, b"2", final=False), frame(PONG, b"unasked"), frame(CONTINUATION, b"3"))
    assert (BINARY, b"123") == await peer.receive()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x01a", 1002),
        (frame(TEXT, b"a", reserved=0x40), 1002),
        (frame(3), 1002),
        (frame(CONTINUATION, b"x"), 1002),
        (frame(PING, b"x" * 126), 1002),
        (frame(CLOSE, b"\x03\xed"), 1002),
        (frame(TEXT, b"\xff"), 1007),
        (frame(TEXT, b"\xc3", final=False) + frame(CONTINUATION, b"("), 1007),
        (frame(BINARY, b"x" * 1_048_577), 1009),
        (frame(BINARY, b"x" * 600_000, final=False) + frame(CONTINUATION, b"x" * 600_000), 1009),
    ],
)
async def test_a_violation_is_answered_with_its_close_code_after_what_came_before(
    peer: Peer, data: bytes, code: int
) -> None:
    peer.send(frame(TEXT, b"before"), data, frame(TEXT, b"after"))
    assert (TEXT, b"before") == await peer.receive()
    opcode, payload = await peer.receive()
    assert (CLOSE, code) == (opcode, int.from_bytes(payload[:2], "big"))
    # RFC 6455, 7.1.7: our end follows at once, whether the peer answers or goes on sending.
    assert await peer.ended()
    assert 1 == Echo.ends
    peer.send(frame(TEXT, b"more"), frame(CLOSE, payload[:2]))
    await peer.writer.drain()
    assert not Echo.opened[0].ws_connection.stream.closed()  # type: ignore[union-attr]
    peer.writer.write_eof()
    await wait_until(lambda: Echo.opened[0].ws_connection is None)


@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"\x0f\xa0bye"])
async def test_a_close_is_answered_with_its_code_and_the_socket_ends(peer: Peer, payload: bytes) -> None:
    peer.send(frame(TEXT, b"last"), frame(CLOSE, payload), frame(TEXT, b"ignored"))
    assert (TEXT, b"last") == await peer.receive()
    opcode, answer = await peer.receive()
    assert (CLOSE, payload[:2]) == (opcode, answer[:2])
    assert await peer.ended()


async def test_a_violation_after_our_close_ends_the_connection_too(peer: Peer) -> None:
    Echo.opened[0].close(4000, "bye")
    assert 4000 == await peer.receive_close()
    peer.send(frame(3))
    assert await peer.ended()


async def test_a_peer_that_never_ends_is_closed_after_the_time_for_it(peer: Peer) -> None:
    peer.send(frame(3))
    assert 1002 == await peer.receive_close()
    assert await peer.ended()
    await wait_until(lambda: Echo.opened[0].ws_connection is None)


async def test_a_close_that_waits_behind_much_data_arrives_whole(peer: Peer) -> None:
    """Closing at once destroyed what the socket had not taken, the Close among it."""
    peer.send(frame(BINARY, b"x" * 1_000_000) * 8, frame(3))
    for _ in range(8):
        opcode, payload = await peer.receive()
        assert (BINARY, 1_000_000) == (opcode, len(payload))
    assert 1002 == await peer.receive_close()
    assert await peer.ended()


@pytest.mark.parametrize("count", [1, 10, MOST_PONGS])
async def test_pings_of_one_burst_are_answered_each(peer: Peer, count: int) -> None:
    payloads = [str(number).encode() for number in range(count)]
    peer.send(*(frame(PING, payload) for payload in payloads))
    assert [(PONG, payload) for payload in payloads] == [await peer.receive() for _ in payloads]


async def test_of_more_pings_the_newest_is_answered_too(peer: Peer) -> None:
    payloads = [str(number).encode() for number in range(1_000)]
    peer.send(*(frame(PING, payload) for payload in payloads), frame(TEXT, b"done"))
    pongs = []
    while (received := await peer.receive())[0] == PONG:
        pongs.append(received[1])

    assert (TEXT, b"done") == received
    assert payloads[:MOST_PONGS] == pongs[:MOST_PONGS]
    assert payloads[-1] == pongs[-1]
    assert len(pongs) <= 2 * (MOST_PONGS + 1), "the kernel may cut what was sent at once"


async def test_pings_before_a_close_are_answered(peer: Peer) -> None:
    peer.send(frame(PING, b"last"), frame(CLOSE, b"\x03\xe8"), frame(PING, b"too late"))
    assert (PONG, b"last") == await peer.receive()
    assert 1000 == await peer.receive_close()
    assert await peer.ended()


async def test_a_peer_is_pinged_and_ended_when_nothing_comes_back(peer: Peer) -> None:
    protocol = Echo.opened[0].ws_connection
    assert protocol is not None
    protocol.ping_or_end(20.0)
    assert (PING, b"") == await peer.receive()
    peer.send(frame(TEXT, b"a sign of life"))
    assert (TEXT, b"a sign of life") == await peer.receive()

    protocol.ping_or_end(20.0)
    assert (PING, b"") == await peer.receive()
    protocol.ping_or_end(20.0)
    assert (CLOSE, b"\x03\xf3nothing came within 20 s of a ping") == await peer.receive()
    assert await peer.ended()
    assert 1 == Echo.ends


async def test_a_peer_that_we_do_not_read_is_not_taken_for_dead(port: int) -> None:
    """A publisher is held back while the store is full: its pong waits behind its messages."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    held = Peer(reader, writer)
    await held.open("/waiting")
    protocol = Waiting.opened[-1].ws_connection
    assert protocol is not None
    protocol.ping_or_end(20.0)
    assert (PING, b"") == await held.receive()
    held.send(frame(BINARY, b"x"))
    await wait_until(lambda: Waiting.bursts)
    for _ in range(5):
        protocol.ping_or_end(20.0)
    assert not protocol.server_terminated

    Waiting.gate.set()
    await wait_until(lambda: not protocol._reader.held)  # type: ignore[union-attr]
    protocol.ping_or_end(20.0)
    assert (PING, b"") == await held.receive()
    protocol.ping_or_end(20.0)
    assert 1011 == await held.receive_close()
    writer.close()
    await writer.wait_closed()


async def test_a_flood_of_pings_is_answered_in_part_and_keeps_little(peer: Peer) -> None:
    """RFC 6455, 5.5.3: the latest ping may be the only one that is answered."""
    pings = frame(PING, b"x" * 125) * 1_000
    for _ in range(100):
        peer.send(pings)
        await peer.writer.drain()
    peer.send(frame(PING, b"end"), frame(TEXT, b"done"))
    pongs = 0
    while (received := await peer.receive())[0] == PONG:
        pongs += 1
    assert (TEXT, b"done") == received
    assert pongs < 5_000


async def test_what_a_handler_returns_is_awaited_before_more_is_read(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    slow = Peer(reader, writer)
    await slow.open("/waiting")
    slow.send(frame(BINARY, b"x" * 1_000))
    await wait_until(lambda: Waiting.bursts)
    slow.send(frame(BINARY, b"y" * 500))
    # The loop turns often enough for a reader that does not wait.
    for _ in range(100):
        await asyncio.sleep(0)
    assert [1_000] == Waiting.bursts
    Waiting.gate.set()
    await wait_until(lambda: len(Waiting.bursts) == 2)
    assert [1_000, 500] == Waiting.bursts
    writer.close()
    await writer.wait_closed()


async def test_another_version_of_the_protocol_is_refused(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    old = Peer(reader, writer)
    await old.open("/echo", version="8")
    assert old.status.startswith("HTTP/1.1 426")
    writer.close()
    await writer.wait_closed()


async def test_a_socket_that_just_ends_leaves_nothing_behind(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    short = Peer(reader, writer)
    await short.open("/echo")
    short.send(frame(TEXT, b"half")[:4])
    writer.write_eof()
    assert await short.ended()
    writer.close()
    await writer.wait_closed()
