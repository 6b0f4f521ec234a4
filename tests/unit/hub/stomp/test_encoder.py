"""What the hub writes, in the escapes of each version."""

import pytest

from hub.broker.publication import Address, Headers, Publication
from hub.stomp.dialects import BY_VERSION, OPENING, V1_0, V1_1, V1_2, Dialect
from hub.stomp.encoder import UNNAMED, MessageEncoder, encode_frame, encode_receipt, encode_user_headers
from hub.stomp.escapes import escape
from hub.topics.destinations import parse_destination
from tests.support.core import no_framing, server_frames


@pytest.mark.parametrize(
    ("dialect", "wire"),
    [(V1_2, r"a\nb\cc\\d\re"), (V1_1, r"a\nb\cc\\d e"), (V1_0, "a b:c\\d e"), (OPENING, "a b:c\\d e")],
)
def test_what_a_version_cannot_say_becomes_a_space(dialect: Dialect, wire: str) -> None:
    assert wire == escape("a\nb:c\\d\re", dialect)


@pytest.mark.parametrize(
    ("dialect", "wire"), [(V1_2, b"k\\cn:a\\cb\\n\n"), (V1_1, b"k\\cn:a\\cb\\n\n"), (V1_0, b"k n:a:b \n")]
)
def test_user_headers_are_escaped_names_too_and_kept(dialect: Dialect, wire: bytes) -> None:
    headers = Headers((("k:n", "a:b\n"),))
    assert wire == encode_user_headers(headers, dialect)
    assert {dialect.version: wire} == headers.encoded


def test_connected_is_never_escaped_and_other_frames_are() -> None:
    assert b"CONNECTED\nsession:a:b\\c\n\n\0" == encode_frame("CONNECTED", [("session", "a:b\\c")], b"", V1_2)
    assert b"ERROR\nmessage:a\\cb\n\nbody\0" == encode_frame("ERROR", [("message", "a:b")], b"body", V1_2)


@pytest.mark.parametrize(
    ("dialect", "wire"), [(V1_2, rb"a\cb\\c\nd\re"), (V1_1, rb"a\cb\\c\nd e"), (V1_0, rb"a:b\c d e")]
)
def test_a_receipt_is_echoed_in_the_escapes_of_its_version(dialect: Dialect, wire: bytes) -> None:
    assert b"RECEIPT\nreceipt-id:%b\n\n\0" % wire == encode_receipt("a:b\\c\nd\re", dialect)


# MESSAGE: section 5.2 of the STOMP reference.


def publication(body: bytes = b"hi", destination: str = "/topic/t:1", **headers: str) -> Publication:
    return Publication(Address(parse_destination(destination)), 7, body, Headers(tuple(headers.items())))


@pytest.mark.parametrize(
    ("dialect", "wire"),
    [
        (V1_2, rb"destination:/topic/t\c1"),
        (V1_1, rb"destination:/topic/t\c1"),
        (V1_0, b"destination:/topic/t:1"),
    ],
)
def test_a_message_is_the_same_octets_in_the_escapes_of_its_version(dialect: Dialect, wire: bytes) -> None:
    item = MessageEncoder("sub-0", dialect, no_framing, "e")(publication(k="v"), (), None)
    assert b"MESSAGE\nsubscription:sub-0\nmessage-id:e-7\n" + wire + b"\ncontent-length:2\nk:v\n\nhi\0" == item


def test_a_1_0_subscription_without_id_has_no_subscription_header() -> None:
    item = MessageEncoder(UNNAMED + "/topic/t:1", V1_0, no_framing, "e")(publication(), (), None)
    assert b"MESSAGE\nmessage-id:e-7\ndestination:/topic/t:1\ncontent-length:2\n\nhi\0" == item


@pytest.mark.parametrize("key", ["a:b", "\\", "é", "", "a\nb"])
def test_a_subscription_id_is_any_text_and_comes_back_as_it_was(key: str) -> None:
    for dialect in (V1_1, V1_2):
        (frame,) = server_frames(MessageEncoder(key, dialect, no_framing, "e")(publication(), (), None), dialect)
        assert key == frame.headers["subscription"]


@pytest.mark.parametrize("body", [b"", b"\0", b"a\0b\0", b"\xff\xfe", b"\n\n", "☃".encode()])
def test_a_body_goes_out_as_it_came_with_its_length(body: bytes) -> None:
    for dialect in BY_VERSION.values():
        (frame,) = server_frames(MessageEncoder("s", dialect, no_framing, "e")(publication(body), (), None), dialect)
        assert (body, str(len(body))) == (frame.body, frame.headers["content-length"])


def test_headers_of_one_delivery_come_once_and_replace_the_message_id() -> None:
    extra = [("ack", "a5"), ("redelivered", "true"), ("dropped", "3")]
    item = MessageEncoder("s", V1_2, no_framing, "e")(publication(), extra, "a5")
    (frame,) = server_frames(item, V1_2)
    assert {
        "subscription": "s",
        "ack": "a5",
        "redelivered": "true",
        "dropped": "3",
        "message-id": "a5",
        "destination": "/topic/t:1",
        "content-length": "2",
    } == frame.headers


def test_framing_knows_length_and_whether_the_frame_is_text() -> None:
    seen: list[tuple[int, bool]] = []

    def framing(length: int, text: bool) -> bytes:
        seen.append((length, text))
        return b"<>"

    encode = MessageEncoder("s", V1_2, framing, "e")
    for body in (b"ascii", "é".encode(), b"\xff"):
        wire = encode(publication(body), (), None)
        assert b"<>" == wire[:2]
        assert len(wire) - 2 == seen[-1][0]
        assert seen[-1] == (len(encode(publication(body), (), None)) - 2, seen[-1][1])
    assert [True, True, True, True, False, False] == [text for _, text in seen]


@pytest.mark.parametrize(("dialect", "says"), [(V1_0, False), (V1_1, False), (V1_2, True)])
def test_only_1_2_has_a_header_to_acknowledge_by(dialect: Dialect, says: bool) -> None:
    wire = MessageEncoder("s", dialect, no_framing, "e")(publication(), [("ack", "a5"), ("dropped", "1")], "a5")
    (frame,) = server_frames(wire, dialect)
    assert (says, "1", "a5") == ("ack" in frame.headers, frame.headers["dropped"], frame.headers["message-id"])
