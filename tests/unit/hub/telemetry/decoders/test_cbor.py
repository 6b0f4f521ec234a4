"""CBOR: the rows of device-formats section 4, the strictness of the reader, cbor2 as the independent encoder."""

import contextlib
import math
import struct
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.telemetry.decoders import cbor, cbor_reader
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from hub.telemetry.scalars import shortest
from storage.reading import Reading
from tests.support.telemetry import NOW_US

HERE = Origin("devices/press-7/telemetry", "press-7")
VECTORS = (
    "a26b74656d7065726174757265f94d606274731a6553f100",
    "a26174c1fb41d954fc40100000617620",
    "d9d9f7a1617401",
    "f97e00",
    "c4822018d7",
)
LEAVES: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.binary(max_size=5)
)
# 1 and "1" are the same name to us, and so refused in one map.
KEYS = st.text(max_size=3).filter(lambda key: not key.lstrip("-").isdecimal()) | st.integers(-9, 9)
DOCUMENTS: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda child: st.lists(child, max_size=3) | st.dictionaries(KEYS, child, max_size=3),
    max_leaves=8,
)


def decoded(octets: bytes | str) -> tuple[list[Reading], Notes]:
    notes = Notes()
    return cbor.decode(bytes.fromhex(octets) if isinstance(octets, str) else octets, HERE, NOW_US, notes), notes


def test_the_examples_give_their_readings() -> None:
    assert decoded(VECTORS[0])[0] == [Reading("press-7", "temperature", 1_700_000_000_000_000, 21.5)]
    assert decoded(VECTORS[2])[0] == [Reading("press-7", "t", NOW_US, 1.0)]
    assert decoded(VECTORS[4])[0] == [Reading("press-7", "value", NOW_US, 21.5)]


def test_not_a_number_is_no_value() -> None:
    readings, notes = decoded("f97e00")

    assert readings == []
    assert notes.skipped == {"no_value": 1}


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        ("a26174c1fb41d954fc40100000617620", "cbor_tag"),  # 1, a time
        ("c25841" + "01" * 65, "cbor_tag"),  # 2, a big integer of 65 bytes
        ("c201", "cbor_tag"),  # 2 of what is no byte string
        ("d823635b615d", "cbor_tag"),  # 35, a regular expression
        ("c482181f01", "cbor_tag"),  # 4 with exponent 31
        ("c4820201" + "00", "trailing_data"),
        ("c482f501", "cbor_tag"),  # 4 with a truth value
        ("c401", "cbor_tag"),
        ("0102", "trailing_data"),
        ("9fff", "cbor_indefinite"),
        ("bfff", "cbor_indefinite"),
        ("7fff", "cbor_indefinite"),
        ("ff", "cbor_indefinite"),
        ("a2617401617402", "duplicate_key"),
        ("a20102613103", "duplicate_key"),  # 1 and "1" are one name
        ("a1f501", "bad_metric"),
        ("a18001", "bad_metric"),
        ("f0", "not_cbor"),  # simple value 16
        ("f820", "not_cbor"),
        ("1c", "not_cbor"),
        ("62c328", "not_cbor"),  # no UTF-8
        ("5b0000010000000000", "not_cbor"),  # 2^40 bytes announced
        ("9b0000010000000000", "too_many_items"),
        ("992711" + "00" * 10001, "too_many_items"),
        ("81" * 17 + "01", "too_deep"),
        ("c4" * 40 + "01", "too_deep"),
    ],
)
def test_what_makes_parsers_dangerous_is_refused(octets: str, reason: str) -> None:
    with pytest.raises(PayloadError) as caught:
        decoded(octets)

    assert caught.value.reason == reason


def test_floats_of_32_bit_get_their_shortest_decimal_and_those_of_64_are_left_alone() -> None:
    single = b"\xfa" + struct.pack(">f", 12.1)
    double = b"\xfb" + struct.pack(">d", 12.100000381469727)

    assert [decoded(single)[0][0].value, decoded(double)[0][0].value] == [12.1, 12.100000381469727]


def test_integer_keys_are_names_and_byte_strings_no_readings() -> None:
    readings, notes = decoded(cbor2.dumps({1: 5, "raw": b"\x00"}))

    assert readings == [Reading("press-7", "1", NOW_US, 5.0)]
    assert notes.skipped == {"binary": 1}


@given(DOCUMENTS)
def test_it_reads_what_an_independent_encoder_writes(document: object) -> None:
    assert cbor_reader.loads(cbor2.dumps(document)) == document


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_the_shortest_form_of_a_float_keeps_its_value_in_32_bit(number: float) -> None:
    value = cbor_reader.loads(cbor2.dumps(number, canonical=True))

    assert isinstance(value, float)
    assert struct.pack(">f", value) == struct.pack(">f", number)
    assert math.isclose(value, shortest(number), rel_tol=1e-3, abs_tol=1e-6)


@pytest.mark.parametrize("octets", VECTORS)
def test_a_cut_payload_is_refused_and_nothing_else(octets: str) -> None:
    body = bytes.fromhex(octets)
    for end in range(1, len(body)):
        with contextlib.suppress(PayloadError):
            decoded(body[:end])


@given(st.binary(max_size=60))
def test_only_payload_errors_escape(body: bytes) -> None:
    with contextlib.suppress(PayloadError):
        decoded(body)
