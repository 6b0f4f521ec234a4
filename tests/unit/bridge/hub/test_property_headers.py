"""Property sections, made by paho's own encoder where it can, and what becomes of each."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from bridge.hub.property_headers import MAX_BYTES, MAX_CACHED, MAX_PROPERTIES, MAX_PROPERTY_BYTES, PropertyHeaders
from hub.stomp.dialects import V1_2
from hub.stomp.header_block import CodecLimits, decode_block


def section(*user: tuple[str, str], **others: object) -> bytes:
    properties: Any = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    for name, value in others.items():
        setattr(properties, name, value)
    if user:
        properties.UserProperty = list(user)
    packed = bytes(properties.pack())
    octets_of_length = 1 if len(packed) < 129 else 2 if len(packed) < 16_386 else 3
    return packed[octets_of_length:]


def headers_of(lines: bytes) -> dict[str, str]:
    return dict(decode_block(b"SEND\n" + lines.removesuffix(b"\n"), V1_2, CodecLimits()).headers) if lines else {}


def test_content_type_and_user_properties_are_headers_and_the_rest_is_passed_over() -> None:
    headers = PropertyHeaders()
    lines = headers[
        section(
            ("site", "a:b\\c\nd"),
            ("größe", "ü"),
            ContentType="application/cbor",
            PayloadFormatIndicator=1,
            MessageExpiryInterval=70,
            ResponseTopic="answers/here",
            CorrelationData=b"\0\1",
        )
    ]

    assert headers_of(lines) == {"content-type": "application/cbor", "site": "a:b\\c\nd", "größe": "ü"}
    assert set(headers.dropped.values()) == {0}


def test_names_that_mean_something_to_stomp_or_the_hub_are_dropped_and_counted_each_time() -> None:
    headers = PropertyHeaders()
    names = ["destination", "receipt", "transaction", "content-length", "content-type", "retained", "message-id"]
    names += ["Destination", "reply-to", "authorization", "ack"]
    packed = section(*((name, "x") for name in names), ("fine", "y"))

    assert [headers_of(headers[packed]) for _ in range(3)] == [{"fine": "y"}] * 3
    assert headers.dropped["reserved"] == 3 * len(names)


def test_repeats_and_what_is_too_long_or_too_many_or_has_nul_or_no_name_are_dropped_and_counted() -> None:
    headers = PropertyHeaders()
    long = "x" * MAX_PROPERTY_BYTES
    found = headers_of(headers[section(("a", "1"), ("a", "2"), ("b", long), ("", "c"))])
    nul = headers[b"\x26\0\x01a\0\x01\0"]
    many = headers_of(headers[section(*((f"n{number}", "v") for number in range(MAX_PROPERTIES + 3)))])

    assert (found, nul, len(many)) == ({"a": "1"}, b"", MAX_PROPERTIES)
    assert headers.dropped == {"reserved": 0, "repeated": 1, "too_long": 1, "too_many": 3, "malformed": 2}


def test_all_headers_of_a_message_stay_far_below_what_the_hub_takes_escapes_included() -> None:
    headers = PropertyHeaders()
    lines = headers[section(*((f"k{number:02}", ":" * (MAX_PROPERTY_BYTES - 3)) for number in range(MAX_PROPERTIES)))]

    assert len(lines) <= MAX_BYTES <= CodecLimits().header_block_bytes // 2
    assert len(headers_of(lines)) + headers.dropped["too_many"] == MAX_PROPERTIES


def test_a_section_is_decoded_once_and_the_cache_is_bounded() -> None:
    headers = PropertyHeaders()
    first = headers[section(("a", "1"))]
    assert headers[section(("a", "1"))] is first
    for number in range(MAX_CACHED):
        headers[section(("n", str(number)))]

    assert len(headers) <= MAX_CACHED
    assert headers[b""] == b""


@given(st.binary(max_size=60))
def test_any_bytes_give_lines_that_the_hub_can_read(data: bytes) -> None:
    lines = PropertyHeaders()[data]

    assert len(headers_of(lines)) == lines.count(b"\n")
