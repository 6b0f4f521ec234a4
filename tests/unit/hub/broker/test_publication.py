"""MESSAGE frames: section 5.2 of the STOMP reference; encoded once for each cohort."""

import pytest

from hub.broker.publication import UNNAMED, Address, Cohort, Publication, control_item
from hub.stomp.dialects import BY_VERSION, V1_0, V1_1, V1_2, Dialect
from hub.stomp.frames import UserHeaders
from tests.support.core import no_framing, server_frames


def publication(body: bytes = b"hi", destination: str = "/topic/t:1", **headers: str) -> Publication:
    return Publication(Address(destination), 7, body, UserHeaders(tuple(headers.items())))


@pytest.mark.parametrize(
    ("dialect", "wire"),
    [
        (V1_2, rb"destination:/topic/t\c1"),
        (V1_1, rb"destination:/topic/t\c1"),
        (V1_0, b"destination:/topic/t:1"),
    ],
)
def test_a_message_is_the_same_octets_in_the_escapes_of_its_version(dialect: Dialect, wire: bytes) -> None:
    item = Cohort("sub-0", dialect, no_framing).encode(publication(k="v"))
    assert b"MESSAGE\nsubscription:sub-0\nmessage-id:7\n" + wire + b"\ncontent-length:2\nk:v\n\nhi\0" == item.wire


def test_a_1_0_subscription_without_id_has_no_subscription_header() -> None:
    item = Cohort(UNNAMED + "/topic/t:1", V1_0, no_framing).encode(publication())
    assert b"MESSAGE\nmessage-id:7\ndestination:/topic/t:1\ncontent-length:2\n\nhi\0" == item.wire


@pytest.mark.parametrize("key", ["a:b", "\\", "é", "", "a\nb"])
def test_a_subscription_id_is_any_text_and_comes_back_as_it_was(key: str) -> None:
    for dialect in (V1_1, V1_2):
        (frame,) = server_frames(Cohort(key, dialect, no_framing).encode(publication()).wire, dialect)
        assert key == frame.headers["subscription"]


@pytest.mark.parametrize("body", [b"", b"\0", b"a\0b\0", b"\xff\xfe", b"\n\n", "☃".encode()])
def test_a_body_goes_out_as_it_came_with_its_length(body: bytes) -> None:
    for dialect in BY_VERSION.values():
        (frame,) = server_frames(Cohort("s", dialect, no_framing).encode(publication(body)).wire, dialect)
        assert (body, str(len(body))) == (frame.body, frame.headers["content-length"])


def test_headers_of_one_delivery_come_once_and_replace_the_message_id() -> None:
    extra = [("ack", "a5"), ("redelivered", "true"), ("dropped", "3")]
    item = Cohort("s", V1_2, no_framing).encode_with(publication(), extra, "a5")
    (frame,) = server_frames(item.wire, V1_2)
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

    cohort = Cohort("s", V1_2, framing)
    for body in (b"ascii", "é".encode(), b"\xff"):
        wire = cohort.encode(publication(body)).wire
        assert b"<>" == wire[:2]
        assert len(wire) - 2 == seen[-1][0]
        assert seen[-1] == (len(cohort.encode_with(publication(body), [], None).wire) - 2, seen[-1][1])
    assert [True, True, True, True, False, False] == [text for _, text in seen]


def test_a_publication_counts_body_and_headers() -> None:
    assert 1_000 == publication(b"x" * 1_000).size - publication(b"").size
    assert 1_000 == publication(k="x" * 999).size - publication().size


def test_a_control_frame_has_no_cohort() -> None:
    item = control_item(b"x")
    assert (b"x", None, None, (), None, 0) == item
