"""Quarantined payloads: their identity, and text made storable."""

import math
from dataclasses import replace

import pytest

from storage.quarantine import QuarantinedPayload, reading_of, refused_reading, storable_text
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
    assert item.origin == "storage"


@pytest.mark.parametrize("value", [10**400, 1.5, True, "\0\ud800", math.inf])
def test_a_refused_reading_comes_back_as_it_was(value: float | str | bool) -> None:
    reading = Reading("d\ud800", "m", 1, value, "V")

    back = reading_of(refused_reading(reading, "value", "why", 2))

    assert back == reading
    assert type(back.value) is type(value)


@pytest.mark.parametrize("content", [b"{", b"\xff", b'{"device": "d"}', b"[1]", b'{"other": 1}'])
def test_anything_else_is_no_reading(content: bytes) -> None:
    with pytest.raises(ValueError):
        reading_of(QuarantinedPayload("reading:d/m", content, "value", 2))
