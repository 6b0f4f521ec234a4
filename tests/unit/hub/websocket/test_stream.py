"""Frames cut and joined in every way, with control frames between, against a server's side from websocket-client."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websocket import ABNF, WebSocketProtocolException
from websocket._abnf import frame_buffer

from hub.websocket.frames import BINARY, CLOSE, PING, PONG, WebSocketViolation, client_frame
from hub.websocket.stream import StreamParser


def frame(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    return bytes(ABNF(int(final), 0, 0, 0, opcode, 0, payload).format())


MQTT = b"".join(bytes([number % 251]) * (number * 37) for number in range(60))
FRAMES = (
    frame(BINARY, MQTT[:10])
    + frame(PING, b"there?")
    + frame(BINARY, MQTT[10:200], final=False)
    + frame(PONG, b"")
    + frame(0, MQTT[200:1000])
    + frame(BINARY, b"")
    + frame(BINARY, MQTT[1000:])
)


@given(st.lists(st.integers(0, len(FRAMES)), max_size=8))
def test_every_cut_gives_the_same_bytes(cuts: list[int]) -> None:
    stream = StreamParser()
    edges = [0, *sorted(cuts), len(FRAMES)]

    assert b"".join(stream.feed(FRAMES[start:end]) for start, end in itertools.pairwise(edges)) == MQTT
    assert stream.take_ping() == b"there?"
    assert stream.take_ping() is None


def test_byte_by_byte_gives_the_same_bytes() -> None:
    stream = StreamParser()

    assert b"".join(stream.feed(FRAMES[at : at + 1]) for at in range(len(FRAMES))) == MQTT


def test_nothing_is_taken_after_a_close() -> None:
    stream = StreamParser()

    assert stream.feed(frame(BINARY, b"a") + frame(CLOSE, b"\x03\xe8") + frame(BINARY, b"b")) == b"a"
    assert stream.closed


@pytest.mark.parametrize(
    "data",
    [
        b"\xc2\x00",  # a reserved bit: nobody offered compression
        b"\x82\x80",  # masked, which servers must not
        b"\x81\x01a",  # text
        b"\x89\x7e\x00\x80",  # a ping of 128 bytes
        b"\x09\x00",  # a ping in fragments
    ],
)
def test_what_rfc_6455_or_mqtt_forbids_is_refused(data: bytes) -> None:
    with pytest.raises(WebSocketViolation):
        StreamParser().feed(data)


@pytest.mark.parametrize("size", [0, 1, 3, 125, 126, 65_535, 65_536])
def test_our_frames_are_masked_and_read_back_as_they_were(size: int) -> None:
    payload = bytes(number % 256 for number in range(size))
    data = client_frame(BINARY, payload)
    stream = iter([data])
    read = frame_buffer(lambda _: next(stream), skip_utf8_validation=True).recv_frame()

    assert (read.fin, read.opcode, read.mask_value, read.data) == (1, BINARY, 1, payload)


@given(st.binary(max_size=100))
def test_any_bytes_give_bytes_or_a_protocol_error(data: bytes) -> None:
    try:
        assert len(StreamParser().feed(data)) <= len(data)
    except (WebSocketViolation, WebSocketProtocolException) as error:
        assert str(error)  # noqa: PT017 - either outcome is right
