"""The upgrade as a client makes it: what is asked, and which answers are none."""

import pytest

from hub.websocket.handshake import ClientHandshake, HandshakeError, accept_for


def key_of(handshake: ClientHandshake) -> bytes:
    return next(line for line in handshake.request.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key: "))[19:]


def answer(handshake: ClientHandshake, **changed: str | None) -> bytes:
    """Answer as a server does; `changed` replaces headers or, with None, leaves them out."""
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec_WebSocket_Accept": accept_for(key_of(handshake)),
    } | changed
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items() if value is not None)
    return f"HTTP/1.1 101 Switching Protocols\r\n{lines}\r\n".encode()


def test_the_key_of_the_rfc_has_the_answer_of_the_rfc() -> None:
    """RFC 6455, section 1.3."""
    assert "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" == accept_for(b"dGhlIHNhbXBsZSBub25jZQ==")


def test_the_request_names_host_path_and_subprotocols() -> None:
    lines = ClientHandshake("[::1]:8080", "/ws", ("v12.stomp", "v11.stomp"), {"Cookie": "a=b"}).request.split(b"\r\n")

    assert b"GET /ws HTTP/1.1" == lines[0]
    assert {
        b"Host: [::1]:8080",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Protocol: v12.stomp, v11.stomp",
        b"Cookie: a=b",
    } < set(lines)


def test_every_upgrade_has_a_key_of_its_own_and_no_path_is_the_root() -> None:
    one, other = ClientHandshake("h", ""), ClientHandshake("h", "")

    assert one.request.startswith(b"GET / HTTP/1.1\r\n")
    assert key_of(one) != key_of(other)


def test_an_upgrade_returns_the_bytes_behind_it_however_it_is_cut() -> None:
    for size in (1, 7, 10_000):
        handshake = ClientHandshake("h", "/ws", ("mqtt",))
        data = answer(handshake, Connection="keep-alive, UPGRADE", Upgrade="WebSocket", Sec_WebSocket_Protocol="mqtt")
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        assert [None] * (len(pieces) - 1) == [handshake.receive(piece) for piece in pieces[:-1]]
        assert b"\x81\x00" == handshake.receive(pieces[-1] + b"\x81\x00")
        assert "mqtt" == handshake.subprotocol


def test_an_upgrade_alone_returns_no_bytes() -> None:
    handshake = ClientHandshake("h", "/ws")

    assert b"" == handshake.receive(answer(handshake))
    assert handshake.subprotocol is None


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"Upgrade": None}, "not a WebSocket"),
        ({"Upgrade": "h2c"}, "not a WebSocket"),
        ({"Connection": None}, "not a WebSocket"),
        ({"Connection": "close"}, "not a WebSocket"),
        ({"Sec_WebSocket_Accept": None}, "not for our key"),
        ({"Sec_WebSocket_Accept": "AAAA"}, "not for our key"),
        ({"Sec_WebSocket_Extensions": "permessage-deflate"}, "not offered"),
        ({"Sec_WebSocket_Protocol": "soap"}, "soap, which was not offered"),
    ],
)
def test_an_answer_that_is_not_for_us_is_refused(changed: dict[str, str | None], problem: str) -> None:
    handshake = ClientHandshake("h", "/ws", ("mqtt",))
    with pytest.raises(HandshakeError, match=problem):
        handshake.receive(answer(handshake, **changed))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "refused: HTTP/1.1 403 Forbidden"),
        (b"HTTP/1.1 200 OK 101\r\n\r\n", "refused"),
        (b"SSH-2.0 101 x\r\n\r\n", "refused"),
        (b"x" * 20_000, "no end"),
        (b"HTTP/1.1 101 Yes\r\nx: " + b"x" * 20_000 + b"\r\n\r\n", "no end"),
    ],
)
def test_an_answer_that_is_no_upgrade_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(HandshakeError, match=problem):
        ClientHandshake("h", "/").receive(data)
