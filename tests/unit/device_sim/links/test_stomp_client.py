"""The client's session without a socket: whole, byte by byte, and with what a stream may hold that looks like an end."""

import pytest

from device_sim.links.identity import StompIdentity, parse_address
from device_sim.links.stomp_client import Received, StompClient, cut_messages
from hub.stomp.decoder import FrameDecoder, HeaderCache
from hub.stomp.dialects import V1_2
from hub.stomp.encoder import encode_frame, encode_receipt
from hub.stomp.header_block import CodecLimits
from hub.websocket.frames import BINARY, PING, TEXT, frame_header
from tests.unit.hub.websocket.test_client import answer

TCP = StompIdentity(parse_address("stomp://hub", "stomp", "--stomp-url"), "me", "s:crt")
CONNECTED = encode_frame("CONNECTED", [("version", "1.2"), ("heart-beat", "10000,10000")], b"", V1_2)


def message(body: bytes, number: int = 1) -> bytes:
    headers = [("subscription", "sub-0"), ("message-id", str(number)), ("destination", "/topic/a")]
    return encode_frame("MESSAGE", [*headers, ("content-length", str(len(body)))], body, V1_2)


def fed(stream: bytes, step: int) -> tuple[list[str], list[bytes], str]:
    """What a session makes of a stream that comes in pieces of `step` bytes."""
    client = StompClient(TCP)
    receipts: list[str] = []
    messages: list[bytes] = []
    problem = ""
    for place in range(0, len(stream), step):
        got = client.receive(stream[place : place + step], 0.0)
        receipts += got.receipts
        messages += got.messages
        problem = problem or got.problem
    assert client.connected
    return receipts, messages, problem


STREAM = (
    CONNECTED
    + message(b'{"a":1}')
    + b"\n"
    + encode_receipt("r1", V1_2)
    + message(b"nul \0 and \0MESSAGE\n\nmore\0")
    + b"\r\n\n"
    + message(b"")
    + encode_receipt("r2", V1_2)
)


def test_a_stream_gives_the_same_whole_and_in_pieces_of_any_size() -> None:
    receipts, messages, problem = fed(STREAM, len(STREAM))

    assert (receipts, problem) == (["r1", "r2"], "")
    assert [one[one.find(b"\n\n") + 2 :] for one in messages] == [b'{"a":1}', b"nul \0 and \0MESSAGE\n\nmore\0", b""]
    for step in (1, 2, 3, 7, 64, 100):
        assert fed(STREAM, step) == (receipts, messages, problem)


def test_the_first_frame_is_a_connect_that_the_hub_can_read() -> None:
    decoder = FrameDecoder(CodecLimits(), HeaderCache())
    [connect] = decoder.feed(StompClient(TCP).opening())

    assert connect.command == "CONNECT"
    assert (connect.headers["login"], connect.headers["passcode"]) == ("me", "s:crt")
    assert (connect.headers["accept-version"], connect.headers["host"]) == ("1.2", "hub")


def test_connected_is_told_once() -> None:
    client = StompClient(TCP)

    assert client.receive(CONNECTED, 0.0) == Received(True, [], [], "")
    assert client.receive(b"\n", 0.0) == Received(False, [], [], "")


def test_an_error_is_the_end_and_says_why() -> None:
    error = encode_frame("ERROR", [("message", "Bad CONNECT")], b"Access refused\nand more", V1_2)
    short = encode_frame("ERROR", [("message", "Not authorized")], b"", V1_2)

    assert StompClient(TCP).receive(error, 0.0).problem == "ERROR: Bad CONNECT (Access refused)"
    assert fed(CONNECTED + error, 5)[2] == "ERROR: Bad CONNECT (Access refused)"
    assert fed(CONNECTED + short, 5)[2] == "ERROR: Not authorized"


def test_what_is_no_stomp_is_told() -> None:
    assert "not STOMP" in StompClient(TCP).receive(b"HTTP/1.1 400 Bad Request\r\n\r\n", 0.0).problem


def test_heart_beats_are_sent_when_nothing_else_was_and_silence_is_death() -> None:
    client = StompClient(TCP)
    client.receive(CONNECTED, 0.0)

    assert client.deadline() == 8.0
    assert client.beat(7.9) == b""
    assert client.beat(8.0) == b"\n"
    client.wrote(12.0)
    assert client.beat(18.0) == b""
    client.receive(b"\n", 19.0)
    assert client.beat(21.0) == b"\n"
    assert client.beat(39.0) is None


def test_without_heart_beats_nothing_is_due() -> None:
    client = StompClient(TCP._replace(heart_beat_ms=0))
    client.receive(CONNECTED, 0.0)

    assert client.deadline() is None
    assert client.beat(1e6) == b""


WEBSOCKET = StompIdentity(parse_address("ws://hub/ws", "ws", "--hub-url"))


def framed(frame: bytes) -> bytes:
    """As the hub sends it: a WebSocket message a frame, text where it is UTF-8."""
    opcode = TEXT if frame.isascii() else BINARY
    return frame_header(opcode, len(frame)) + frame


def web_stream(eol: bytes = b"") -> tuple[bytes, list[bytes]]:
    bodies = [b"short", b"x" * 300, b"nul \0\x81\x10MESSAGE\nmore\0 in it", b"\xff\xfe", b"y" * 70_000, b"", b"last"]
    frames = [message(body, number) for number, body in enumerate(bodies)]
    stream = framed(CONNECTED + eol)
    for place, frame in enumerate(frames):
        stream += framed(frame + eol)
        if place == 1:
            stream += framed(encode_receipt("r1", V1_2) + eol) + framed(b"\n") + frame_header(PING, 2) + b"hi"
    return stream, bodies


@pytest.mark.parametrize("eol", [b"", b"\n", b"\r\n"], ids=["hub", "RabbitMQ", "CRLF"])
@pytest.mark.parametrize("step", [1_000_000, 1, 7, 100, 1_000])
def test_over_websocket_a_stream_gives_the_same_in_pieces_of_any_size(step: int, eol: bytes) -> None:
    """Also where the server ends each frame with an end of line, within the frame's WebSocket message."""
    client = StompClient(WEBSOCKET)
    stream, bodies = web_stream(eol)
    stream = answer(client.opening()) + stream
    receipts: list[str] = []
    messages: list[bytes] = []
    for place in range(0, len(stream), step):
        got = client.receive(stream[place : place + step], 0.0)
        assert got.problem == ""
        receipts += got.receipts
        messages += got.messages

    assert receipts == ["r1"]
    assert [one[one.find(b"\n\n") + 2 :] for one in messages] == bodies
    assert len(client.answers) == 2  # CONNECT, and the pong


def test_only_whole_messages_at_the_beginning_are_cut_off() -> None:
    one, two = framed(message(b"1")), framed(message(b"2" * 200))

    assert cut_messages(one + two + one[:9]) == ([message(b"1")[:-1], message(b"2" * 200)[:-1]], len(one + two))
    assert cut_messages(framed(b"\n") + one) == ([], 0)
    assert cut_messages(b"") == ([], 0)
    assert cut_messages(one + two[:-1]) == ([message(b"1")[:-1]], len(one))


def test_a_message_behind_which_an_end_of_line_stands_is_cut_with_it() -> None:
    one, two = framed(message(b"1") + b"\n"), framed(message(b"2" * 200) + b"\n")

    assert cut_messages(one + two) == ([message(b"1")[:-1], message(b"2" * 200)[:-1]], len(one + two))
    assert cut_messages(two[:-1]) == ([], 0), "its end of line is still to come"


def test_a_nul_in_the_body_of_the_last_message_is_not_its_end() -> None:
    one, two = framed(message(b"1")), framed(message(b"a\0b\0\n"))

    assert cut_messages(two) == ([], 0)
    assert cut_messages(one + two) == ([message(b"1")[:-1]], len(one))


# What RabbitMQ 3.10.8 (Debian 12) sent, MESSAGE and RECEIPT in one read.
RABBITMQ_CONNECTED = (
    b"\x81nCONNECTED\nserver:RabbitMQ/3.10.8\nsession:session-t8n7elNl_Kj4Miezc5dhWA\n"
    b"heart-beat:10000,10000\nversion:1.2\n\n\x00\n"
)
RABBITMQ_SENT = (
    b"\x81~\x00\x9fMESSAGE\nsubscription:sub-0\ndestination:/topic/a.b\n"
    b"message-id:T_sub-0@@session-t8n7elNl_Kj4Miezc5dhWA@@1\nredelivered:false\nreceipt:0\ncontent-length:7\n\n"
    b'{"a":0}\x00\n\x81\x18RECEIPT\nreceipt-id:0\n\n\x00\n'
)


def test_what_rabbitmq_sends_is_read_message_by_message() -> None:
    client = StompClient(WEBSOCKET)
    assert client.receive(answer(client.opening()) + RABBITMQ_CONNECTED, 0.0).connected
    for _ in range(3):
        got = client.receive(RABBITMQ_SENT, 1.0)

        assert (got.receipts, got.problem) == (["0"], "")
        assert [message.partition(b"\n\n")[2] for message in got.messages] == [b'{"a":0}']
