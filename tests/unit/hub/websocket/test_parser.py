"""The WebSocket frame parser against RFC 6455: what is legal makes messages, what is not has its close code."""

import codecs
import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.websocket.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Message,
    Role,
    server_frame,
)
from hub.websocket.parser import FrameParser

MASK = b"\x01\x80\xff\x37"
LIMIT = 100_000


def frame(opcode: int, payload: bytes = b"", *, final: bool = True, mask: bytes = MASK, reserved: int = 0) -> bytes:
    """Return a masked frame as a client sends it."""
    first = (0x80 if final else 0) | reserved | opcode
    size = len(payload)
    if size < 126:
        head = bytes((first, 0x80 | size))
    elif size < 65_536:
        head = struct.pack("!BBH", first, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, size)
    return head + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))


def parse(*pieces: bytes, limit: int = LIMIT) -> tuple[list[Message], int | None]:
    parser = FrameParser(limit)
    messages = [message for piece in pieces for message in parser.feed(piece)]
    return messages, None if parser.error is None else parser.error.code


def byte_by_byte(data: bytes) -> list[bytes]:
    return [bytes((byte,)) for byte in data]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 99_999])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("mask", [MASK, b"\0\0\0\0"])
def test_a_frame_of_any_length_gives_its_message(size: int, opcode: int, mask: bytes) -> None:
    payload = b"ab\n:"[:4] * (size // 4 + 1)
    payload = payload[:size]
    assert ([Message(opcode, payload)], None) == parse(frame(opcode, payload, mask=mask))


def test_many_frames_in_one_read_and_one_frame_in_many() -> None:
    data = (
        frame(TEXT, b"one") + frame(PING, b"?") + frame(BINARY, b"\xff" * 300) + frame(TEXT) + frame(CLOSE, b"\x03\xe8")
    )
    expected = [(TEXT, b"one"), (PING, b"?"), (BINARY, b"\xff" * 300), (TEXT, b""), (CLOSE, b"\x03\xe8")]
    assert (expected, None) == parse(data) == parse(*byte_by_byte(data))


def test_fragments_make_one_message_with_control_frames_between() -> None:
    data = (
        frame(TEXT, b"a\xc3", final=False)
        + frame(PING, b"1")
        + frame(CONTINUATION, b"\xa9", final=False)
        + frame(CONTINUATION, b"", final=False)
        + frame(PONG)
        + frame(CONTINUATION, b"z")
        + frame(TEXT, b"next")
    )
    expected = [(PING, b"1"), (PONG, b""), (TEXT, b"a\xc3\xa9z"), (TEXT, b"next")]
    assert (expected, None) == parse(data) == parse(*byte_by_byte(data))


def test_thousands_of_tiny_fragments_are_one_message() -> None:
    data = frame(BINARY, b"x", final=False) + frame(CONTINUATION, b"x", final=False) * 5_000 + frame(CONTINUATION)
    assert ([(BINARY, b"x" * 5_001)], None) == parse(data)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x01a", 1002),  # not masked
        (frame(TEXT, b"a", reserved=0x40), 1002),  # compressed, never negotiated
        (frame(TEXT, b"a", reserved=0x20), 1002),
        (frame(TEXT, b"a", reserved=0x10), 1002),
        (frame(PING, reserved=0x40), 1002),
        *((frame(opcode), 1002) for opcode in (3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF)),
        (frame(PING, b"x" * 126), 1002),
        (frame(CLOSE, b"\x03\xe8" + b"x" * 124), 1002),
        (frame(PING, final=False), 1002),
        (frame(CLOSE, final=False), 1002),
        (frame(CONTINUATION, b"a"), 1002),
        (frame(TEXT, b"a") + frame(CONTINUATION, b"b"), 1002),
        (frame(TEXT, b"a", final=False) + frame(TEXT, b"b"), 1002),
        (frame(TEXT, b"a", final=False) + frame(BINARY, b"b", final=False), 1002),
        (frame(CLOSE, b"\x03"), 1002),
        *(
            (frame(CLOSE, struct.pack("!H", code)), 1002)
            for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535)
        ),
        (frame(CLOSE, b"\x03\xe8\xff"), 1007),
        (frame(TEXT, b"\xff"), 1007),
        (frame(TEXT, b"a\xc3"), 1007),
        (frame(TEXT, b"\xed\xa0\x80"), 1007),  # a surrogate
        (frame(TEXT, b"\xf4\x90\x80\x80"), 1007),  # above U+10FFFF
        (frame(TEXT, b"\xc0\xaf"), 1007),  # overlong
        (frame(TEXT, b"\xc3", final=False) + frame(CONTINUATION, b"("), 1007),
        (frame(TEXT, b"\xc3", final=False) + frame(CONTINUATION, b""), 1007),
        (frame(BINARY, b"x" * (LIMIT + 1)), 1009),
        (frame(TEXT, b"x" * 60_000, final=False) + frame(CONTINUATION, b"x" * 60_000), 1009),
    ],
)
def test_a_violation_is_found_with_its_code_however_the_stream_is_cut(data: bytes, code: int) -> None:
    before = frame(BINARY, b"good")
    for pieces in ([before + data], [before, data], [*byte_by_byte((before + data)[:300]), (before + data)[300:]]):
        messages, found = parse(*pieces)
        assert (b"good", code) == (messages[0].payload, found)


def test_bad_text_is_found_in_the_fragment_that_has_it() -> None:
    assert ([], 1007) == parse(frame(TEXT, b"\xff", final=False))


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 4999])
def test_a_close_code_that_may_be_sent_is_returned(code: int) -> None:
    payload = struct.pack("!H", code) + "grüße".encode()
    assert ([(CLOSE, payload)], None) == parse(frame(CLOSE, payload))
    assert ([(CLOSE, b"")], None) == parse(frame(CLOSE))


def test_a_message_that_is_too_large_is_refused_by_its_header() -> None:
    for size in (LIMIT + 1, 2**40, 2**64 - 1):
        head = struct.pack("!BBQ", 0x82, 0x80 | 127, size) + MASK
        assert ([], 1009) == parse(head)
    assert ([], None) == parse(struct.pack("!BBQ", 0x82, 0x80 | 127, LIMIT) + MASK)


def test_after_a_violation_input_is_discarded() -> None:
    parser = FrameParser(LIMIT)
    parser.feed(frame(3))
    error = parser.error
    assert [] == parser.feed(frame(TEXT, b"a"))
    assert error is parser.error
    assert not parser.started


def test_the_limit_can_be_raised_once_the_peer_is_known() -> None:
    parser = FrameParser(10)
    assert 1 == len(parser.feed(frame(BINARY, b"x" * 10)))
    parser.max_message_bytes = 1_000
    assert 1 == len(parser.feed(frame(BINARY, b"x" * 1_000)))


def test_the_parser_says_whether_a_message_has_begun() -> None:
    parser = FrameParser(LIMIT)
    for data, started in (
        (frame(TEXT, b"a"), False),
        (b"\x81", True),
        (frame(TEXT, b"a")[1:], False),
        (frame(TEXT, final=False), True),
        (frame(PING), True),
        (frame(CONTINUATION), False),
    ):
        parser.feed(data)
        assert started == parser.started


_payloads = st.one_of(st.binary(max_size=200), st.text(max_size=60).map(str.encode))
_messages = st.lists(
    st.tuples(
        st.sampled_from([TEXT, BINARY, PING, PONG]),
        _payloads,
        st.lists(st.integers(0, 200), max_size=3),
        st.binary(min_size=4, max_size=4),
    ),
    max_size=6,
)


@given(_messages, st.lists(st.integers(0, 2_000), max_size=8))
def test_messages_come_back_whatever_their_fragments_masks_and_cuts(
    messages: list[tuple[int, bytes, list[int], bytes]], cuts: list[int]
) -> None:
    data = b""
    expected = []
    code = None
    for opcode, payload, borders, mask in messages:
        if opcode in {PING, PONG}:
            data += frame(opcode, payload[:125], mask=mask)
            expected.append((opcode, payload[:125]))
            continue
        places = [0, *sorted(border % (len(payload) + 1) for border in borders), len(payload)]
        for number, (start, end) in enumerate(itertools.pairwise(places)):
            data += frame(
                CONTINUATION if number else opcode, payload[start:end], final=number == len(borders), mask=mask
            )
        if opcode == TEXT and not _is_text(payload):
            code = 1007
            break
        expected.append((opcode, payload))
    whole = parse(data)
    assert (expected, code) == whole
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    assert whole == parse(*(data[start:end] for start, end in itertools.pairwise(places)))


@given(st.binary(max_size=300))
def test_arbitrary_bytes_make_messages_or_a_violation_and_the_same_in_any_cut(data: bytes) -> None:
    whole = parse(data)
    assert whole[1] in {None, 1002, 1007, 1009}
    assert whole == parse(*byte_by_byte(data))


def _is_text(payload: bytes) -> bool:
    try:
        codecs.decode(payload, "utf-8")
    except UnicodeDecodeError:
        return False
    return True


def test_a_client_reads_a_servers_frames_however_they_are_cut() -> None:
    payloads = [b"", b"a" * 125, b"b" * 126, b"c" * 65_535, b"d" * 65_536]
    data = b"".join(server_frame(BINARY, payload) for payload in payloads) + b"\x01\x01a\x89\x00\x80\x01b"
    expected = [*((BINARY, payload) for payload in payloads), (PING, b""), (TEXT, b"ab")]
    for pieces in ([data], [*byte_by_byte(data[:700]), data[700:]]):
        parser = FrameParser(LIMIT, Role.CLIENT)
        assert expected == [message for piece in pieces for message in parser.feed(piece)]
        assert parser.error is None


@pytest.mark.parametrize("payload", [b"", b"a", b"a" * 126, b"a" * 65_536])
def test_a_client_refuses_a_masked_frame_by_its_header(payload: bytes) -> None:
    parser = FrameParser(LIMIT, Role.CLIENT)
    before = server_frame(TEXT, b"fine")
    assert [(TEXT, b"fine")] == parser.feed(before + frame(TEXT, payload)[:2])
    assert parser.error is not None
    assert 1002 == parser.error.code


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xc2\x00", 1002),
        (b"\x8b\x00", 1002),
        (b"\x89\x7e\x00\x80", 1002),
        (b"\x09\x00", 1002),
        (b"\x80\x00", 1002),
        (b"\x88\x02\x03\xed", 1002),
        (b"\x81\x01\xff", 1007),
        (b"\x82\x7f\x00\x00\x00\x00\x7f\xff\xff\xff", 1009),
    ],
)
def test_a_client_holds_a_server_to_the_same_rules(data: bytes, code: int) -> None:
    parser = FrameParser(LIMIT, Role.CLIENT)
    assert [] == parser.feed(data)
    assert parser.error is not None
    assert code == parser.error.code


def test_an_incomplete_frame_can_be_taken_back() -> None:
    parser = FrameParser(LIMIT, Role.CLIENT)
    data = server_frame(TEXT, b"x" * 300)
    parser.feed(server_frame(TEXT, b"before") + data[:100])
    assert data == parser.take_back(data[100:])
    assert not parser.started
    assert [(TEXT, b"x" * 300)] == parser.feed(data)


def test_amid_fragments_nothing_is_taken_back() -> None:
    parser = FrameParser(LIMIT, Role.CLIENT)
    parser.feed(b"\x01\x01a")
    assert b"\x80\x01b" == parser.take_back(b"\x80\x01b")
    assert [(TEXT, b"ab")] == parser.feed(b"\x80\x01b")
