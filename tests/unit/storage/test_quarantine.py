"""Quarantined payloads: their identity, and text made storable."""

from dataclasses import replace

from storage.quarantine import QuarantinedPayload, refused_reading, storable_text
from storage.reading import Reading


def test_the_identity_is_made_of_topic_payload_and_time() -> None:
    item = QuarantinedPayload("t", b"x", "decode", 1)

    assert item.identity == QuarantinedPayload("t", b"x", "clock", 1, "other words").identity
    assert (
        len({item.identity, replace(item, topic="tx", payload=b"").identity, replace(item, received_us=2).identity})
        == 3
    )


def test_text_is_made_storable() -> None:
    assert storable_text("a\0b\ud800c") == "a\ufffdb?c"
    assert len(storable_text("x" * 9999)) == 2000


def test_a_refused_reading_keeps_its_value() -> None:
    item = refused_reading(Reading("d", "m", 1, 10**30, "V"), "value", "why", 2)

    assert item.topic == "reading:d/m"
    assert b"1000000000000000000000000000000" in item.payload
