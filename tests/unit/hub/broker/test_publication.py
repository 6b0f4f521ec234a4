"""What a message counts for, and cohorts: each encodes a publication once for all of its members."""

from hub.broker.publication import Address, Cohort, Extra, Headers, Publication, answer_item
from hub.topics.destinations import parse_destination


def publication(body: bytes = b"hi", **headers: str) -> Publication:
    return Publication(Address(parse_destination("/topic/t")), 7, body, Headers(tuple(headers.items())))


def encode(publication: Publication, extra: Extra, message_id: str | None) -> bytes:
    return f"{message_id or publication.number} {dict(extra)} ".encode() + publication.body


def test_a_publication_counts_body_and_headers() -> None:
    assert 1_000 == publication(b"x" * 1_000).size - publication(b"").size
    assert 1_000 == publication(k="x" * 999).size - publication().size


def test_a_cohort_encodes_for_all_and_for_one() -> None:
    cohort = Cohort("s", encode)
    assert b"7 {} hi" == cohort.item(publication()).wire
    item = cohort.item_with(publication(), [("ack", "a1")], "a1", told=2)
    assert b"a1 {'ack': 'a1', 'dropped': '2'} hi" == item.wire
    assert ((("ack", "a1"),), "a1", 2) == (item.extra, item.message_id, item.told)


def test_an_answer_has_no_cohort() -> None:
    assert (b"x", None, None, (), None, 0) == answer_item(b"x")
