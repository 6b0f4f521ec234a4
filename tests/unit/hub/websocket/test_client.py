"""The client's side of a WebSocket, in a pair with the server's."""

import pytest

from hub.websocket.client import WebSocketClient
from hub.websocket.frames import BINARY, CLOSE, PING, PONG, TEXT, client_frame, server_frame
from hub.websocket.handshake import accept_for
from hub.websocket.parser import FrameParser


def new_client() -> WebSocketClient:
    return WebSocketClient("h:80", "/ws", ("v12.stomp",), 100_000)


def answer(request: bytes) -> bytes:
    """Return what a server says to the upgrade (RFC 6455, section 4.2.2)."""
    key = next(line for line in request.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key: "))[19:]
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        + accept_for(key).encode()
        + b"\r\n\r\n"
    )


def opened() -> WebSocketClient:
    client = new_client()
    assert client.receive(answer(client.request)) == []
    assert client.open
    return client


def answered(client: WebSocketClient) -> list[tuple[int, bytes]]:
    """Return what the client wants to send, as a server reads it."""
    return [(one.opcode, one.payload) for one in FrameParser(100_000).feed(b"".join(client.answers))]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_it_reads_frames_of_any_length(size: int) -> None:
    assert opened().receive(server_frame(TEXT, b"x" * size) + server_frame(BINARY, b"y")) == [b"x" * size, b"y"]


def test_frames_may_come_byte_by_byte() -> None:
    client = new_client()
    stream = answer(client.request) + server_frame(TEXT, b"first") + server_frame(TEXT, b"s" * 300)
    got = [message for place in range(len(stream)) for message in client.receive(stream[place : place + 1])]

    assert got == [b"first", b"s" * 300]


def test_fragments_become_one_message_and_a_ping_between_them_is_answered() -> None:
    client = opened()
    got = client.receive(b"\x01\x02ab" + server_frame(PING, b"life") + b"\x00\x01c" + b"\x80\x01d")

    assert got == [b"abcd"]
    assert answered(client) == [(PONG, b"life")]


def test_a_close_is_answered_and_told_and_what_came_before_it_is_not_lost() -> None:
    client = opened()
    close = server_frame(CLOSE, (1012).to_bytes(2, "big") + b"restart")

    assert client.receive(server_frame(TEXT, b"last words") + close + server_frame(TEXT, b"late")) == [b"last words"]
    assert client.ended == "closed with 1012 restart"
    assert answered(client) == [(CLOSE, (1012).to_bytes(2, "big"))]


def test_a_close_without_a_code_is_answered_without_one() -> None:
    client = opened()
    client.receive(server_frame(CLOSE, b""))

    assert answered(client) == [(CLOSE, b"")]


@pytest.mark.parametrize(
    ("head", "problem"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "refused: HTTP/1.1 403 Forbidden"),
        (b"x" * 20_000, "no end"),
    ],
)
def test_an_answer_that_is_no_upgrade_is_told(head: bytes, problem: str) -> None:
    client = new_client()
    client.receive(head)

    assert problem in client.ended
    assert not client.open


@pytest.mark.parametrize(
    ("frame", "problem"),
    [(client_frame(TEXT, b"masked"), "must not be masked"), (b"\x8b\x00", "unknown opcode 0xb")],
    ids=["masked", "unknown kind"],  # the mask is random, and workers must agree on names
)
def test_what_no_server_may_send_ends_the_connection_with_its_close_code(frame: bytes, problem: str) -> None:
    client = opened()

    assert client.receive(server_frame(TEXT, b"fine") + frame) == [b"fine"]
    assert problem in client.ended
    [(opcode, payload)] = answered(client)
    assert (opcode, payload[:2]) == (CLOSE, (1002).to_bytes(2, "big"))


def test_a_message_above_the_bound_is_refused_by_its_header() -> None:
    client = opened()
    client.receive(b"\x82\x7f" + (1 << 40).to_bytes(8, "big"))

    assert "100000 bytes" in client.ended
