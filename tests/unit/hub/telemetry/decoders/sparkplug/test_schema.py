"""Protobuf: what is present, what is refused."""

import pytest

from hub.telemetry.decoders.sparkplug.schema import _PAYLOAD, COMPRESSED, parse
from hub.telemetry.notes import PayloadError
from hub.telemetry.validation import MAX_ITEMS
from tests.support.sparkplug import DBIRTH, metric, payload


def test_presence_is_kept_apart_from_emptiness() -> None:
    parsed = parse(payload(metric("", 0, int_value=0, is_null=False), metric(boolean_value=False), seq=0, timestamp=0))

    assert (0, 0) == (parsed.timestamp_ms, parsed.seq)
    first, second = parsed.metrics
    assert ("", 0, "int_value", 0) == (first.name, first.alias, first.field, first.value)
    assert (None, None, None, "boolean_value", False) == (
        second.name,
        second.alias,
        second.datatype,
        second.field,
        second.value,
    )


def test_properties_are_paired() -> None:
    [temperature, _] = parse(DBIRTH).metrics

    assert {"engUnit": "Cel"} == temperature.properties


def test_properties_without_partner_and_those_that_nobody_reads_are_left_out_and_the_first_of_equals_counts() -> None:
    properties = {
        "keys": ["other", "engUnit", "engUnit", "Quality"],
        "values": [{"string_value": text} for text in ("o", "a", "b")],
    }
    [only] = parse(payload(metric("m", properties=properties))).metrics

    assert {"engUnit": "a"} == only.properties


def test_fields_that_the_schema_does_not_have_are_passed_over() -> None:
    assert 7 == parse(payload(seq=7) + b"\x2a\x03abc\xf8\x07\x01").seq


@pytest.mark.parametrize("body", [b"\x12", b"\xff", b"\x12\x05\x0a\x01", b"21.5", b'{"a":1}'])
def test_octets_that_are_no_payload_are_refused(body: bytes) -> None:
    with pytest.raises(PayloadError, match="not_sparkplug"):
        parse(body)


@pytest.mark.parametrize("body", [b"\x12\x03\x0a\x01\xff", b"\x12\x09\x4a\x07\x0a\x01\xff\x12\x02\x18\x01"])
def test_texts_that_are_not_utf_8_are_refused(body: bytes) -> None:
    with pytest.raises(PayloadError, match="bad_text"):
        parse(body)


def test_a_compressed_payload_is_refused_not_taken_for_an_empty_one() -> None:
    with pytest.raises(PayloadError, match="compressed"):
        parse(_PAYLOAD(uuid=COMPRESSED).SerializeToString())


def test_metrics_are_counted_before_they_are_read() -> None:
    with pytest.raises(PayloadError, match="too_many_items"):
        parse(b"\x12\x00" * (MAX_ITEMS + 1))
