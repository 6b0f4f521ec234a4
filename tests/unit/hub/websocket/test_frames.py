"""What is written, against another reading of RFC 6455 (websocket-client's); and what a Close may say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websocket._abnf import frame_buffer

from hub.websocket.frames import (
    BINARY,
    NO_CODE,
    TEXT,
    WebSocketViolation,
    check_close,
    client_frame,
    close_payload,
    frame_header,
    read_close,
    server_frame,
)
from hub.websocket.parser import FrameParser


@pytest.mark.parametrize(
    ("length", "header"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f" + b"\0" * 5 + b"\x01\0\0"),
    ],
)
def test_a_servers_header_is_not_masked_and_as_short_as_can_be(length: int, header: bytes) -> None:
    assert header == frame_header(TEXT, length)
    assert header + b"x" * length == server_frame(TEXT, b"x" * length)


@pytest.mark.parametrize("size", [0, 1, 3, 125, 126, 65_535, 65_536])
def test_a_clients_frame_is_masked_and_read_as_it_was(size: int) -> None:
    payload = bytes(number % 256 for number in range(size))
    data = client_frame(BINARY, payload)
    stream = iter([data])
    read = frame_buffer(lambda _: next(stream), skip_utf8_validation=True).recv_frame()

    assert (1, BINARY, 1, payload) == (read.fin, read.opcode, read.mask_value, read.data)
    assert [(BINARY, payload)] == FrameParser(100_000).feed(data)


def test_each_frame_of_a_client_has_a_key_of_its_own() -> None:
    assert 50 == len({client_frame(TEXT, b"same") for _ in range(50)})


@given(st.sampled_from([1000, 1002, 1011, 3000, 4999]), st.text(max_size=200))
def test_a_close_says_its_code_and_as_much_of_the_reason_as_fits(code: int, reason: str) -> None:
    payload = close_payload(code, reason)
    check_close(payload)

    assert len(payload) <= 125
    assert code == read_close(payload)[0]
    assert reason.startswith(read_close(payload)[1])
    assert len(payload) >= 121 or read_close(payload)[1] == reason


def test_a_close_without_a_code_is_empty() -> None:
    assert b"" == close_payload(None, "nobody reads this") == close_payload(NO_CODE)
    assert (NO_CODE, "") == read_close(b"")


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2999, 5000])
def test_a_code_that_may_not_be_sent_is_a_violation(code: int) -> None:
    with pytest.raises(WebSocketViolation, match=str(code)) as violation:
        check_close(code.to_bytes(2, "big"))
    assert 1002 == violation.value.code
