"""The decoder, point by point as section 1 of the STOMP reference lists them; what holds for all input: test_decoder_any."""

import pytest

from hub.refusal import CloseCode
from hub.stomp import decoder as decoder_module
from hub.stomp.decoder import FrameDecoder, HeaderCache
from hub.stomp.dialects import BY_VERSION, OPENING, V1_0, V1_1, V1_2, Dialect
from hub.stomp.escapes import unescape
from hub.stomp.frames import Frame, FrameError
from hub.stomp.header_block import CodecLimits
from tests.support.core import octets

DEFAULT = CodecLimits()
LIMITS = CodecLimits(body_bytes=100, headers=5, header_line_bytes=300, header_block_bytes=1_000)


def decoder(dialect: Dialect = V1_2, limits: CodecLimits = DEFAULT) -> FrameDecoder:
    made = FrameDecoder(limits, HeaderCache())
    made.use(dialect)
    return made


def frames(text: str | bytes, dialect: Dialect = V1_2, limits: CodecLimits = DEFAULT) -> list[Frame]:
    reader = decoder(dialect, limits)
    found = reader.feed(octets(text) if isinstance(text, str) else text)
    if reader.error is not None:
        raise reader.error
    return found


def frame(text: str | bytes, dialect: Dialect = V1_2, limits: CodecLimits = DEFAULT) -> Frame:
    (found,) = frames(text, dialect, limits)
    return found


def refused(text: str | bytes, dialect: Dialect = V1_2, limits: CodecLimits = DEFAULT) -> FrameError:
    with pytest.raises(FrameError) as error:
        frames(text, dialect, limits)
    return error.value


def no_error(reader: FrameDecoder) -> bool:
    return reader.error is None


# Frames and what stands between them.


@pytest.mark.parametrize("gap", ["", "\n", "\r\n", "\n\n\r\n\n", "^@", "\n^@\r\n^@^@"])
def test_line_ends_and_nul_between_frames_are_skipped(gap: str) -> None:
    found = frames(gap + "SEND\nd:1\n\n^@" + gap + "SEND\nd:2\n\n^@" + gap)
    assert ["1", "2"] == [frame.headers["d"] for frame in found]


@pytest.mark.parametrize("gap", ["\rx", "\r\r\n", "\n\r^@", "\r\r"])
def test_a_lone_carriage_return_between_frames_is_an_error(gap: str) -> None:
    assert "Bad frame" == refused(gap + "SEND\n\n^@").reason.value


def test_a_carriage_return_at_the_end_of_the_input_waits_for_its_line_feed() -> None:
    reader = decoder()
    assert [] == reader.feed(b"\r")
    assert ["SEND"] == [frame.command for frame in reader.feed(b"\nSEND\n\n\0")]


@pytest.mark.parametrize("dialect", BY_VERSION.values(), ids=BY_VERSION)
def test_crlf_is_a_line_end_everywhere(dialect: Dialect) -> None:
    found = frame("SEND\r\ndestination:/topic/a\r\nk:v\r\n\r\nbody^@", dialect)
    assert ({"destination": "/topic/a", "k": "v"}, b"body") == (found.headers, found.body)


def test_crlf_is_read_before_the_version_is_known() -> None:
    assert {"accept-version": "1.2"} == frame("CONNECT\r\naccept-version:1.2\r\n\r\n^@", OPENING).headers


@pytest.mark.parametrize(
    "command", ["send", "Send", "SEND ", " SEND", "SENDX", "MESSAGE", "CONNECTED", "RECEIPT", "ERROR", "\t", "É"]
)
def test_a_command_is_exact_and_a_servers_frame_is_no_command(command: str) -> None:
    assert "Unknown command" == refused(f"{command}\n\n^@").reason.value


def test_a_command_is_refused_while_it_arrives() -> None:
    reader = decoder()
    for octet in b"X" * 33:
        reader.feed(bytes((octet,)))
    assert no_error(reader)
    reader.feed(b"X")
    assert reader.error is not None
    assert "Unknown command" == reader.error.reason.value


@pytest.mark.parametrize(
    "command",
    ["CONNECT", "STOMP", "SEND", "SUBSCRIBE", "UNSUBSCRIBE", "ACK", "NACK", "BEGIN", "COMMIT", "ABORT", "DISCONNECT"],
)
def test_every_client_command_is_known(command: str) -> None:
    assert command == frame(f"{command}\nk:v\n\n^@").command


# Header lines.


def test_a_line_without_colon_is_an_error_that_does_not_tell_the_line() -> None:
    error = refused("CONNECT\npasscode=s3cret\n\n^@", OPENING)
    assert "Bad header" == error.reason.value
    assert "s3cret" not in str(error)


def test_an_empty_name_is_an_error_and_an_empty_value_is_not() -> None:
    assert "Bad header" == refused("SEND\n:v\n\n^@").reason.value
    for dialect in BY_VERSION.values():
        assert {"k": ""} == frame("SEND\nk:\n\n^@", dialect).headers


@pytest.mark.parametrize("dialect", [OPENING, *BY_VERSION.values()], ids=lambda row: row.version)
def test_a_value_may_have_raw_colons(dialect: Dialect) -> None:
    command = "CONNECT" if dialect is OPENING else "SEND"
    assert {"k": "a:b:c"} == frame(f"{command}\nk:a:b:c\n\n^@", dialect).headers


def test_the_first_of_repeated_headers_wins_in_every_version() -> None:
    for dialect in BY_VERSION.values():
        assert {"v": "1", "w": "3"} == frame("SEND\nv:1\nv:2\nw:3\n\n^@", dialect).headers
    found = frame("SEND\nreceipt:a\nreceipt:b\n\n^@")
    assert "a" == found.receipt


def test_nothing_is_trimmed_but_leading_spaces_of_values_in_1_0() -> None:
    text = "SEND\n a : b \n\n^@"
    assert {" a ": " b "} == frame(text, V1_1).headers == frame(text, V1_2).headers
    assert {" a ": "b "} == frame(text, V1_0).headers


def test_names_are_case_sensitive() -> None:
    assert {"K": "1", "k": "2"} == frame("SEND\nK:1\nk:2\n\n^@").headers


def test_commands_and_headers_are_utf_8() -> None:
    assert {"ü": "☃"} == frame("SEND\nü:☃\n\n^@").headers
    assert "Bad header" == refused(b"SEND\nk:\xff\n\n\0").reason.value
    assert "Unknown command" == refused(b"S\xff\n\n\0").reason.value


def test_a_lone_carriage_return_in_a_header_is_an_error_in_1_2_and_before_the_version_is_known() -> None:
    for dialect in (V1_2, OPENING):
        assert "Bad header" == refused("CONNECT\nk:a\rb\n\n^@", dialect).reason.value
    for dialect in (V1_0, V1_1):
        assert {"k": "a\rb"} == frame("SEND\nk:a\rb\n\n^@", dialect).headers
        assert {"k": "a"} == frame("SEND\nk:a\r\n\n^@", dialect).headers


def test_a_nul_within_a_header_is_an_error() -> None:
    assert "Bad header" == refused("SEND\nk:a^@b\n\n^@").reason.value


def test_a_nul_in_place_of_a_header_ends_a_frame_without_body() -> None:
    found = frames("DISCONNECT\nreceipt:77\n^@SEND\n\nx^@", V1_0)
    assert [("DISCONNECT", "77", b""), ("SEND", None, b"x")] == [(one.command, one.receipt, one.body) for one in found]


# Bodies.


def test_content_length_counts_octets_and_the_body_may_hold_nul() -> None:
    assert b"a\0b\xff" == frame(b"SEND\ncontent-length:4\n\na\0b\xff\0").body
    assert "é".encode() == frame("SEND\ncontent-length:2\n\né^@").body


def test_without_content_length_the_body_ends_at_the_first_nul() -> None:
    found = frames("SEND\n\na^@BEGIN\ntransaction:t\n\n^@")
    assert [b"a", b""] == [one.body for one in found]


@pytest.mark.parametrize("value", ["0", "00", " 0 ", "000000000"])
def test_an_empty_body_may_be_said(value: str) -> None:
    assert b"" == frame(f"SEND\ncontent-length:{value}\n\n^@").body


@pytest.mark.parametrize(
    "value",
    ["-1", "+5", "1e3", "", " ", "1 2", "0x1", "5\u0661", "\u0661", "1000000000000", "0000000001", "1.0", "1,1"],
)
def test_a_content_length_is_digits_or_an_error(value: str) -> None:
    assert "Bad content-length" == refused(f"SEND\ncontent-length:{value}\n\nx^@").reason.value


def test_two_content_lengths_may_be_equal_and_not_differ() -> None:
    assert b"abc" == frame("SEND\ncontent-length:3\ncontent-length:3\n\nabc^@").body
    assert "Bad content-length" == refused("SEND\ncontent-length:3\ncontent-length:4\n\nabc^@").reason.value


@pytest.mark.parametrize("length", [0, 1, 2])
def test_the_octet_after_the_body_must_be_nul(length: int) -> None:
    error = refused(f"SEND\nreceipt:r\ncontent-length:{length}\n\nabc^@")
    assert ("Bad content-length", "r") == (error.reason.value, error.receipt)
    assert "does not match" in error.detail


def test_content_length_holds_on_every_frame() -> None:
    found = frames("BEGIN\ntransaction:t\ncontent-length:0\n\n^@SUBSCRIBE\ncontent-length:2\n\n\n\n^@")
    assert [("BEGIN", b""), ("SUBSCRIBE", b"")] == [(one.command, one.body) for one in found]


@pytest.mark.parametrize("command", ["CONNECT", "SUBSCRIBE", "ACK", "COMMIT", "DISCONNECT"])
def test_only_send_has_a_body_but_line_ends_are_forgiven(command: str) -> None:
    assert b"" == frame(f"{command}\nk:v\n\n\n\r\n\n^@").body
    error = refused(f"{command}\nreceipt:r\n\n x^@")
    assert ("Unexpected body", "r") == (error.reason.value, error.receipt)


# Limits.


def test_a_body_is_refused_by_its_length_before_it_arrives() -> None:
    reader = decoder(limits=LIMITS)
    reader.feed(b"SEND\ncontent-length:101\n\n")
    assert reader.error is not None
    assert ("Body too large", CloseCode.TOO_BIG) == (reader.error.reason.value, reader.error.answer.close_code)
    assert 100 == len(frame("SEND\ncontent-length:100\n\n" + "x" * 100 + "^@", limits=LIMITS).body)


def test_a_body_without_length_is_refused_as_soon_as_it_is_too_long() -> None:
    assert 100 == len(frame("SEND\n\n" + "x" * 100 + "^@", limits=LIMITS).body)
    reader = decoder(limits=LIMITS)
    reader.feed(b"SEND\n\n" + b"x" * 100)
    assert no_error(reader)
    reader.feed(b"x")
    assert reader.error is not None
    assert "Body too large" == reader.error.reason.value


@pytest.mark.parametrize("receipt", ["r", "r 1", "a:b"])
def test_a_refused_body_names_its_receipt_however_the_header_was_decoded(receipt: str) -> None:
    for text in (f"SEND\nreceipt:{receipt}\ncontent-length:101\n\n", f"SEND\nreceipt:{receipt}\n\n" + "x" * 101):
        error = refused(text, limits=LIMITS)
        assert ("Body too large", receipt) == (error.reason.value, error.receipt)


def test_header_lines_are_bounded_in_number_repeated_ones_included() -> None:
    assert {"k": "1"} == frame("SEND\n" + "k:1\n" * 5 + "\n^@", limits=LIMITS).headers
    assert ("Too many headers", CloseCode.TOO_BIG) == (
        (error := refused("SEND\n" + "k:1\n" * 6 + "\n^@", limits=LIMITS)).reason.value,
        error.answer.close_code,
    )
    assert "Too many headers" == refused("SEND\n" + "k:1\r\n" * 6 + "\n^@", limits=LIMITS).reason.value


def test_a_header_line_is_bounded() -> None:
    assert 300 == len("k:" + frame("SEND\nk:" + "x" * 298 + "\n\n^@", limits=LIMITS).headers["k"])
    assert ("Headers too large", CloseCode.TOO_BIG) == (
        (error := refused("SEND\nk:" + "x" * 299 + "\n\n^@", limits=LIMITS)).reason.value,
        error.answer.close_code,
    )
    assert "Headers too large" == refused("SEND\nk:" + "x" * 500, limits=LIMITS).reason.value


@pytest.mark.parametrize("end", ["\n\n", "\n\r\n"])
def test_a_header_block_is_bounded_to_the_octet(end: str) -> None:
    block = "SEND\n" + "".join(f"{number}:{'x' * 196}\n" for number in range(4)) + "f:" + "y" * 197
    assert 1_000 == len(block)
    assert 5 == len(frame(block + end + "^@", limits=LIMITS).headers)
    assert "Headers too large" == refused(block + "y" + end + "^@", limits=LIMITS).reason.value


def test_after_an_error_input_is_discarded() -> None:
    reader = decoder()
    assert [] == reader.feed(b"SEND\nnocolon\n\n\0SEND\n\n\0")
    error = reader.error
    assert [] == reader.feed(b"SEND\n\n\0")
    assert error is reader.error
    assert not reader.started


def test_frames_before_an_error_are_given() -> None:
    reader = decoder()
    assert [b"a"] == [one.body for one in reader.feed(b"SEND\n\na\0NO\n\n\0")]
    assert reader.error is not None


# Escapes.

ESCAPED = r"a\nb\cc\\d\re\tf"


@pytest.mark.parametrize(
    ("dialect", "wire", "text"),
    [
        (V1_2, r"\n", "\n"), (V1_2, r"\c", ":"), (V1_2, r"\\", "\\"), (V1_2, r"\r", "\r"),
        (V1_1, r"\n", "\n"), (V1_1, r"\c", ":"), (V1_1, r"\\", "\\"),
        (V1_2, r"\\n", r"\n"), (V1_2, r"\\\n", "\\\n"), (V1_2, r"\\\\", r"\\"), (V1_2, r"\\c", r"\c"),
        (V1_2, r"a\nb\cc\\d", "a\nb:c\\d"),
        (V1_0, r"\n", r"\n"), (V1_0, r"\t", r"\t"), (V1_0, "\\", "\\"), (V1_0, r"\\", r"\\"),
    ],
)  # fmt: skip
def test_names_and_values_are_unescaped_in_one_pass(dialect: Dialect, wire: str, text: str) -> None:
    if dialect.escapes:
        assert text == unescape(wire, dialect)
    assert {"k" + text: text} == frame(f"SEND\nk{wire}:{wire}\n\n^@", dialect).headers


@pytest.mark.parametrize(
    ("dialect", "wire"),
    [
        (V1_2, r"\t"),
        (V1_1, r"\t"),
        (V1_1, r"\r"),
        (V1_2, "\\"),
        (V1_1, "\\"),
        (V1_2, r"\N"),
        (V1_2, r"\\\x"),
        (V1_2, r"\ n"),
    ],
)
def test_an_undefined_escape_is_an_error(dialect: Dialect, wire: str) -> None:
    for line in (f"k:{wire}", f"{wire}:v"):
        assert "Bad escape" == refused(f"SEND\n{line}\n\n^@", dialect).reason.value


@pytest.mark.parametrize("command", ["CONNECT", "STOMP"])
def test_connect_is_never_unescaped(command: str) -> None:
    text = f"{command}\npasscode:a\\cb\nk\\t:\\\n\n^@"
    for dialect in (OPENING, V1_1, V1_2):
        assert {"passcode": r"a\cb", "k\\t": "\\"} == frame(text, dialect).headers


# What is remembered.


def test_a_header_block_that_comes_again_is_decoded_once_for_each_version() -> None:
    cache = HeaderCache()
    text = b"SEND\ndestination:/topic/a\nk:\\\\n\n\nx\0"
    heads = []
    for dialect in (V1_2, V1_2, V1_0):
        reader = FrameDecoder(CodecLimits(), cache)
        reader.use(dialect)
        heads.append(reader.feed(text)[0].head)
    assert heads[0] is heads[1]
    assert ["\\n", "\\\\n"] == [heads[1].headers["k"], heads[2].headers["k"]]


def test_sends_that_differ_in_their_receipt_share_a_head_and_keep_their_receipts() -> None:
    reader = decoder()
    found = reader.feed(b"".join(b"SEND\nreceipt:%d\ndestination:/topic/a\nk:v\n\nx\0" % number for number in range(3)))
    assert ["0", "1", "2"] == [one.receipt for one in found]
    assert 1 == len({id(one.head) for one in found})
    plain = reader.feed(b"SEND\ndestination:/topic/a\nk:v\n\nx\0")
    assert [None] == [one.receipt for one in plain]


def test_the_memory_of_header_blocks_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder_module, "MAX_CACHED_BYTES", 10_000)
    cache = HeaderCache()
    reader = FrameDecoder(CodecLimits(), cache)
    reader.use(V1_2)
    for start in range(0, 3_000, 100):
        reader.feed(b"".join(b"SEND\nk:%d\n\n\0" % number for number in range(start, start + 100)))
        assert sum(map(len, cache.of(V1_2))) <= 10_000
    known = len(cache.of(V1_2))
    assert known > 0

    reader.feed(b"SEND\nk:" + b"x" * 600 + b"\n\n\0")
    reader.feed(b"SEND\n" + b"".join(b"k%d:\n" % number for number in range(20)) + b"\n\0")
    assert known == len(cache.of(V1_2)), "blocks that cost much and hardly come again are not kept"


def test_before_the_version_is_known_one_frame_is_given_at_a_time() -> None:
    reader = FrameDecoder(CodecLimits(), HeaderCache())
    found = reader.feed(b"CONNECT\naccept-version:1.2\n\n\0SEND\nk:\\c\n\n\0")
    assert ["CONNECT"] == [one.command for one in found]
    reader.use(V1_2)
    reader.hold(b"SEND\nk:\\n\n\n\0")
    assert [":", "\n"] == [one.headers["k"] for one in reader.feed(b"")]


def test_the_reader_says_whether_a_frame_has_begun() -> None:
    reader = decoder()
    assert not reader.started
    for data, started in ((b"\n\n", False), (b"SE", True), (b"ND\n\nab", True), (b"\0", False), (b"\0\nS", True)):
        reader.feed(data)
        assert started == reader.started


def test_the_reader_says_whether_the_frame_under_way_began_just_now() -> None:
    """Of a stream that never rests each piece ends within a frame, but not within the same one."""
    reader = decoder()
    pieces = (
        (b"SE", False),
        (b"ND\n\nab", False),
        (b"\0S", True),
        (b"END\ncontent-length:9\n\n", False),
        (b"a", False),
    )
    for data, anew in (*pieces, (b"12345678\0SEND\n\na", True), (b"b", False)):
        reader.feed(data)
        assert reader.started
        # Of the first piece of all it does not matter.
        assert anew == reader.started_anew
