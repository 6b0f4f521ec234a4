"""The client's side of a WebSocket, in a pair with the hub's server side."""

import base64
import hashlib

import pytest

from device_sim.links.websocket_client import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    WebSocketClient,
    WebSocketRefusedError,
    encode,
)
from hub.websocket.frames import frame_header
from hub.websocket.parser import FrameParser


def answer(request: bytes) -> bytes:
    """What a server says to the upgrade (RFC 6455, section 4.2.2)."""
    key = next(line for line in request.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key: "))[19:]
    accept = base64.b64encode(
        hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11", usedforsecurity=False).digest()
    )
    return b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"


def opened() -> WebSocketClient:
    client = WebSocketClient()
    assert client.receive(answer(client.request("h:80", "/ws"))) == []
    assert client.open
    return client


def served(payload: bytes, opcode: int = TEXT) -> bytes:
    return frame_header(opcode, len(payload)) + payload


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_what_it_sends_the_hub_understands(size: int) -> None:
    payload = bytes(range(256)) * (size // 256 + 1)
    [message] = FrameParser(100_000).feed(encode(BINARY, payload[:size]))

    assert (message.opcode, message.payload) == (BINARY, payload[:size])


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_it_reads_frames_of_any_length(size: int) -> None:
    assert opened().receive(served(b"x" * size) + served(b"y")) == [b"x" * size, b"y"]


def test_frames_may_come_octet_by_octet() -> None:
    client = WebSocketClient()
    stream = answer(client.request("h:80", "/ws")) + served(b"first") + served(b"s" * 300)
    got = [message for place in range(len(stream)) for message in client.receive(stream[place : place + 1])]

    assert got == [b"first", b"s" * 300]


def test_fragments_become_one_message_and_a_ping_between_them_is_answered() -> None:
    client = opened()
    got = client.receive(b"\x01\x02ab" + served(b"life", PING) + b"\x00\x01c" + b"\x80\x01d")

    assert got == [b"abcd"]
    [pong] = [FrameParser(100).feed(one)[0] for one in client.answers]
    assert (pong.opcode, pong.payload) == (PONG, b"life")


def test_a_close_is_answered_and_told() -> None:
    client = opened()
    with pytest.raises(WebSocketRefusedError, match="1012 restart"):
        client.receive(served((1012).to_bytes(2, "big") + b"restart", CLOSE))

    assert FrameParser(100).feed(client.answers[0])[0].opcode == CLOSE


@pytest.mark.parametrize(
    ("head", "problem"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "refused: HTTP/1.1 403 Forbidden"),
        (b"HTTP/1.1 101 Yes\r\nSec-WebSocket-Accept: AAAA\r\n\r\n", "not for our key"),
        (b"x" * 20_000, "no end"),
    ],
)
def test_an_answer_that_is_no_upgrade_is_told(head: bytes, problem: str) -> None:
    with pytest.raises(WebSocketRefusedError, match=problem):
        WebSocketClient().receive(head)


@pytest.mark.parametrize(
    ("frame", "problem"),
    [(encode(TEXT, b"masked"), "no server may send"), (b"\x8b\x00", "unknown kind 0xb")],
    ids=["masked", "unknown kind"],  # the mask is random, and workers must agree on names
)
def test_what_no_server_may_send_ends_the_connection(frame: bytes, problem: str) -> None:
    with pytest.raises(WebSocketRefusedError, match=problem):
        opened().receive(served(b"fine") + frame)
