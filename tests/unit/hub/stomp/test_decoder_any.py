"""What holds for the codec whatever comes: F11, F12, F14 and F15 of the fault matrix.

The same frames and the same error however the stream is cut; nothing but FrameError; bounded memory; linear time; and what
is encoded is decoded again.
"""

import itertools
import time
import tracemalloc

from hypothesis import example, given
from hypothesis import strategies as st

from hub.broker.publication import Headers
from hub.stomp.decoder import FrameDecoder, HeaderCache
from hub.stomp.dialects import BY_VERSION, OPENING, V1_0, V1_1, V1_2, Dialect
from hub.stomp.encoder import encode_user_headers
from hub.stomp.frames import Frame
from hub.stomp.header_block import CodecLimits

SMALL = CodecLimits(body_bytes=60, headers=4, header_line_bytes=64, header_block_bytes=100)
LIMITS = CodecLimits(body_bytes=1_000, headers=20, header_line_bytes=300, header_block_bytes=2_000)
LARGE = CodecLimits(body_bytes=2**26)

dialects = st.sampled_from([OPENING, *BY_VERSION.values()])

# Pieces that meet in real and hostile streams, so that cuts fall within CRLF, UTF-8, escapes, and before the last NUL.
_PIECES = [
    b"SEND", b"SUBSCRIBE", b"CONNECT", b"DISCONNECT", b"NOPE", b"\n", b"\n\n", b"\r\n", b"\r", b"\0", b":", b"\\c", b"\\n",
    b"\\t",     b"\\", b"destination:/topic/a", b"receipt:r1", b"receipt:a b", b"content-length:3", b"content-length:99",
    b"content-length:-1", b"k:v", b"abc", b"\xc3\xa9", b"\xc3", b"x" * 40, b"y" * 70, b" ", b"content-length:", b"a\0b",
]  # fmt: skip
_WHOLE = [
    b"SEND\ndestination:/topic/a\n\none\0",
    b"SEND\r\ndestination:/topic/a\r\n\r\ntwo\0\r\n",
    b"SEND\ncontent-length:3\n\na\0b\0",
    b"SEND\nk\\cn:\\\\n\nreceipt:r\n\n\xc3\xa9\0\n",
    b"DISCONNECT\nreceipt:1\n\0",
    b"BEGIN\ntransaction:t\n\n\n\0",
    b"\n\n\r\n",
]
streams = st.one_of(
    st.lists(st.sampled_from(_WHOLE), max_size=5).map(b"".join),
    st.lists(st.sampled_from(_PIECES), max_size=25).map(b"".join),
    st.builds(
        lambda start, pieces: b"".join(start) + b"".join(pieces),
        st.lists(st.sampled_from(_WHOLE), max_size=3),
        st.lists(st.sampled_from(_PIECES), max_size=12),
    ),
    st.binary(max_size=200),
)


def read(
    pieces: list[bytes], dialect: Dialect, limits: CodecLimits, cache: HeaderCache | None = None
) -> tuple[list[tuple[str, dict[str, str], bytes, str | None]], tuple[str, str, int, str | None] | None]:
    """Return what a decoder makes of a stream cut like this: comparable frames, and the error."""
    decoder = FrameDecoder(limits, cache or HeaderCache())
    decoder.use(dialect)
    found: list[Frame] = []
    for piece in pieces:
        found += decoder.feed(piece)
    if dialect is OPENING:
        # One frame at a time is given there: ask until nothing is left.
        while new := decoder.feed(b""):
            found += new
    error = decoder.error
    return (
        # A shared head may lack the receipt, which the frame has.
        [(one.command, {**one.headers, "receipt": one.receipt or ""}, one.body, one.receipt) for one in found],
        None if error is None else (error.reason.value, error.detail, error.answer.close_code, error.receipt),
    )


def cut(data: bytes, places: list[int]) -> list[bytes]:
    borders = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(borders)]


@given(streams, st.lists(st.integers(0, 400), max_size=8), dialects, st.sampled_from([SMALL, LIMITS]))
@example(b"SEND\n" + b"k:" + b"x" * 63 + b"\nk:" + b"y" * 29, [50], V1_2, SMALL)
@example(b"NOPE\n" + b"x" * 70, [3], V1_2, SMALL)
def test_any_cut_gives_the_same_frames_and_the_same_error(
    data: bytes, places: list[int], dialect: Dialect, limits: CodecLimits
) -> None:
    whole = read([data], dialect, limits)
    assert whole == read(cut(data, places), dialect, limits)
    assert whole == read([bytes((octet,)) for octet in data], dialect, limits)


@given(streams, dialects)
def test_what_was_remembered_changes_nothing(data: bytes, dialect: Dialect) -> None:
    cache = HeaderCache()
    assert read([data], dialect, LIMITS, cache) == read([data], dialect, LIMITS, cache)


def test_every_single_cut_of_a_stream_of_all_shapes_gives_the_same() -> None:
    data = b"".join(_WHOLE) + b"SEND\nbad\\escape:\n\n\0"
    for dialect in BY_VERSION.values():
        whole = read([data], dialect, LIMITS)
        assert len(_WHOLE) - 1 <= len(whole[0])
        for place in range(len(data)):
            assert whole == read([data[:place], data[place:]], dialect, LIMITS)


@given(st.binary(max_size=400), dialects)
def test_arbitrary_octets_make_frames_or_a_frame_error(data: bytes, dialect: Dialect) -> None:
    found, error = read([data], dialect, SMALL)
    assert error is None or error[0] in {
        "Bad frame", "Unknown command", "Bad header", "Bad escape", "Bad content-length", "Unexpected body",
        "Body too large", "Headers too large", "Too many headers",
    }  # fmt: skip
    assert all(command.isupper() for command, *_ in found)


# Text of headers: characters that need escapes, and any others but NUL and surrogates.
_text = st.text(
    st.one_of(st.sampled_from("\\:\n\r ctn"), st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
)
_names = _text.filter(lambda name: bool(name) and name not in {"content-length", "receipt"})


def _sayable(text: str, dialect: Dialect, *, name: bool = False) -> str:
    for char in dialect.unsayable + (":" if name and not dialect.escapes else ""):
        text = text.replace(char, " ")
    return text.lstrip(" ") if dialect.trims_values and not name else text


@given(st.dictionaries(_names, _text, max_size=6), st.sampled_from(list(BY_VERSION.values())), st.binary(max_size=50))
def test_headers_that_are_encoded_are_decoded_again(headers: dict[str, str], dialect: Dialect, body: bytes) -> None:
    """In 1.0 and 1.1 what cannot be said has become a space."""
    wire = encode_user_headers(Headers(tuple(headers.items())), dialect)
    data = b"SEND\n%bcontent-length:%d\n\n%b\0" % (wire, len(body), body)
    limits = CodecLimits(header_line_bytes=100_000, header_block_bytes=1_000_000)
    expected: dict[str, str] = {}
    for name, value in headers.items():
        expected.setdefault(_sayable(name, dialect, name=True), _sayable(value, dialect))
    found, error = read([data], dialect, limits)
    assert error is None
    ((_, decoded, decoded_body, _),) = found
    assert {**expected, "content-length": str(len(body)), "receipt": ""} == decoded
    assert body == decoded_body


def test_1_2_can_say_everything() -> None:
    assert ("", "\r", "\r\n") == (V1_2.unsayable, V1_1.unsayable, V1_0.unsayable)


# Time: each byte is looked at a bounded number of times, whatever the shape and the cut.


def seconds(data: bytes, piece: int, limits: CodecLimits) -> float:
    best = 1e9
    for _ in range(4):
        decoder = FrameDecoder(limits, HeaderCache())
        decoder.use(V1_2)
        start = time.process_time()
        for position in range(0, len(data), piece):
            decoder.feed(data[position : position + piece])
        best = min(best, time.process_time() - start)
    return best


def assert_linear(make_twice: list[bytes], piece: int, limits: CodecLimits = LARGE) -> None:
    # On a busy machine one round may lie; a quadratic reader fails them all.
    for _ in range(8):
        once, twice = (seconds(data, piece, limits) for data in make_twice)
        if twice <= 2.5 * once + 0.01:
            return
    raise AssertionError((once, twice))


def test_a_large_body_with_length_costs_linear_time() -> None:
    assert_linear([b"SEND\ncontent-length:%d\n\n" % size + b"x" * size + b"\0" for size in (2**20, 2**21)], 256)


def test_a_large_body_without_length_costs_linear_time() -> None:
    assert_linear([b"SEND\n\n" + b"x" * size + b"\0" for size in (2**20, 2**21)], 256)


def test_many_frames_cost_linear_time() -> None:
    assert_linear([b"SEND\ndestination:/topic/a\n\nx\0" * count for count in (5_000, 10_000)], 65_536)


def test_a_million_line_ends_cost_linear_time() -> None:
    assert_linear([b"\n" * count for count in (2**19, 2**20)], 65_536)
    assert_linear([b"\r\n" * count for count in (2**18, 2**19)], 65_536)


def test_headers_that_dribble_in_cost_linear_time_up_to_their_bound() -> None:
    limits = CodecLimits(headers=100_000, header_block_bytes=2**20)
    assert_linear([b"SEND\n" + b"k:v\n" * count for count in (5_000, 10_000)], 7, limits)


# Memory: what is kept is bounded by the limits and the input.


def test_no_hostile_stream_makes_the_reader_keep_more_than_the_limits() -> None:
    limits = CodecLimits(body_bytes=10_000, headers=50, header_line_bytes=1_000, header_block_bytes=10_000)
    floods = [
        b"SEND\ncontent-length:999999999\n\n" + b"x" * 100_000,
        b"SEND\n\n" + b"x" * 1_000_000,
        b"SEND\n" + b"k:v\n" * 100_000,
        b"SEND\nk:" + b"x" * 1_000_000,
        b"X" * 1_000_000,
        b"\r" + b"\n" * 1_000_000,
        b"SEND\ndestination:/topic/a\n" * 100_000,
    ]
    for flood in floods:
        for piece in (1_000, 65_536):
            decoder = FrameDecoder(limits, HeaderCache())
            decoder.use(V1_2)
            tracemalloc.start()
            for position in range(0, len(flood), piece):
                decoder.feed(flood[position : position + piece])
                assert len(decoder._buffer) <= 25_000
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            # Lines of a block are looked at one by one, as objects of some forty bytes each.
            assert peak < 4 * piece + 40 * limits.header_block_bytes, (flood[:20], piece, peak)
