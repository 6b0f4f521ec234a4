"""What the hub is sent, read by its own decoder."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.down.commands import Answer
from bridge.errors import CommandTopicError, UnsendableTopicError
from bridge.hub.frames import (
    COMMANDS_RECEIPT,
    FRAME_OVERHEAD_BYTES,
    MAX_CACHED_TOPICS,
    Destinations,
    encode,
    encode_answers,
    encode_subscriptions,
)
from bridge.hub.property_headers import PropertyHeaders
from hub.broker.options import AckMode, parse_options
from hub.clients.mqtt_parser import RETAIN, Publish
from hub.stomp.decoder import FrameDecoder, HeaderCache
from hub.stomp.dialects import V1_2
from hub.stomp.frames import Frame
from hub.stomp.header_block import CodecLimits


def decoded(data: bytes) -> list[Frame]:
    decoder = FrameDecoder(CodecLimits(), HeaderCache())
    decoder.use(V1_2)
    frames = decoder.feed(data)
    assert decoder.error is None
    assert not decoder.started
    return frames


def never(error: UnsendableTopicError) -> None:
    raise error


def message(topic: str, payload: bytes, first: int = 0x32, properties: bytes = b"") -> Publish:
    return (b"\0\1", topic.encode(), payload, first, properties)


def test_a_transaction_is_begin_sends_and_a_commit_with_the_receipt() -> None:
    frames = decoded(
        encode(17, [message("a", b"1"), message("b", b"2", 0x32 | RETAIN)], Destinations(), PropertyHeaders(), never)
    )

    assert [frame.command for frame in frames] == ["BEGIN", "SEND", "SEND", "COMMIT"]
    assert {frame.headers["transaction"] for frame in frames} == {"t"}
    assert frames[3].receipt == "17"
    assert [frame.headers.get("retained") for frame in frames[1:3]] == [None, "true"]


def test_a_message_alone_is_a_send_with_the_receipt() -> None:
    (frame,) = decoded(encode(3, [message("a", b"1")], Destinations(), PropertyHeaders(), never))

    assert frame.receipt == "3"
    assert (frame.headers["destination"], frame.headers["content-length"]) == ("/topic/a", "1")


def test_the_properties_are_headers_whether_or_not_a_neighbour_is_sendable() -> None:
    section = b"\x03\0\x09text/html" + b"\x26\0\x04site\0\x02a:"
    messages = [message("a", b"1", 0x33, section), message("a", b"2")]
    whole = decoded(encode(1, messages, Destinations(), PropertyHeaders(), never))[1:3]
    partly = decoded(encode(1, [*messages, message("+", b"")], Destinations(), PropertyHeaders(), lambda _: None))[1:3]

    for first, second in (whole, partly):
        wanted = {"content-type": "text/html", "site": "a:", "retained": "true"}
        assert {name: first.headers.get(name) for name in wanted} == wanted
        assert set(second.headers) == {"transaction", "destination", "content-length"}


mqtt_topics = st.text(st.characters(exclude_characters="\0+#", exclude_categories=["Cs"]), min_size=1, max_size=40)


@given(st.lists(st.tuples(mqtt_topics, st.binary(max_size=300)), min_size=1, max_size=5))
def test_topics_and_payloads_arrive_as_they_came(pairs: list[tuple[str, bytes]]) -> None:
    data = encode(1, [message(topic, payload) for topic, payload in pairs], Destinations(), PropertyHeaders(), never)
    sends = [frame for frame in decoded(data) if frame.command == "SEND"]

    assert [(f.headers["destination"], f.body) for f in sends] == [(f"/topic/{t}", p) for t, p in pairs]


@pytest.mark.parametrize(
    "topic", [b"", b"a\0b", b"\xff\xfe", b"a/+", b"/" * 64, b"x" * 8_174, b":" * 4_090, b"readings/a/b", b"$SYS/x"]
)
def test_a_message_whose_topic_the_hub_would_refuse_is_left_out_and_reported(topic: bytes) -> None:
    reported: list[UnsendableTopicError] = []
    messages = [message("a", b"1"), (b"\0\2", topic, b"2", 0x32, b""), message("c", b"3")]
    frames = decoded(encode(1, messages, Destinations(), PropertyHeaders(), reported.append))

    assert [frame.body for frame in frames[1:-1]] == [b"1", b"3"]
    assert [error.topic for error in reported] == [topic]


def test_a_transaction_of_nothing_sendable_still_asks_for_its_receipt() -> None:
    frames = decoded(encode(9, [(b"\0\1", b"", b"", 0x32, b"")], Destinations(), PropertyHeaders(), lambda _: None))

    assert [frame.command for frame in frames] == ["BEGIN", "COMMIT"]
    assert frames[1].receipt == "9"


def test_the_overhead_that_the_byte_bound_reckons_with_is_not_too_small() -> None:
    payload = b"x" * 1_000_000
    data = encode(
        10**9,
        [message("a", payload, 0x33), message("a", payload, 0x33)],
        Destinations(),
        PropertyHeaders(),
        never,
    )
    around = len(encode(10**9, [(b"", b"", b"", 0x32, b"")], Destinations(), PropertyHeaders(), lambda _: None))

    assert len(data) - around <= 2 * (len(payload) + 1 + FRAME_OVERHEAD_BYTES)


def test_the_cache_of_destinations_is_bounded() -> None:
    destinations = Destinations()
    for number in range(MAX_CACHED_TOPICS + 10):
        destinations[b"t/%d" % number]

    assert len(destinations) == 10


def test_commands_never_go_up() -> None:
    destinations = Destinations(["+/+/commands"])
    reported: list[UnsendableTopicError] = []
    messages = [message(f"devices/a/{last}", b"1") for last in ("commands", "telemetry", "state")]
    for _ in range(2):  # found, and remembered
        frames = decoded(encode(1, messages, destinations, PropertyHeaders(), reported.append))
        assert [frame.headers.get("destination") for frame in frames] == [
            None,
            "/topic/devices/a/telemetry",
            "/topic/devices/a/state",
            None,
        ]

    assert [type(error) for error in reported] == [CommandTopicError] * 2


def test_one_subscribe_for_each_filter_all_named_in_an_error() -> None:
    frames = decoded(encode_subscriptions(["+/+/commands", "a:b/#"], 20))
    options = [parse_options(frame.headers) for frame in frames]

    assert [(frame.command, frame.headers["id"], frame.headers["destination"]) for frame in frames] == [
        ("SUBSCRIBE", "0", "/topic/+/+/commands"),
        ("SUBSCRIBE", "1", "/topic/a:b/#"),
    ]
    assert {frame.receipt for frame in frames} == {COMMANDS_RECEIPT}
    assert {(option.ack, option.prefetch, option.confirms) for option in options} == {(AckMode.INDIVIDUAL, 20, True)}


def test_a_refusal_carries_its_reason() -> None:
    ack, nack = decoded(encode_answers([Answer("a1", None), Answer("a2", "too\nlarge: 5")]))

    assert (ack.command, ack.headers["id"]) == ("ACK", "a1")
    assert (nack.command, nack.headers["id"], nack.headers["reason"]) == ("NACK", "a2", "too\nlarge: 5")
