"""Strictness of the JSON text."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.telemetry.decoders import strict_json
from hub.telemetry.decoders.strict_json import JsonValue, Unreadable
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin

SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
TEXTS = st.text(st.sampled_from(':"\\{},a\u00e9'), max_size=6)
DOCUMENTS = st.recursive(SCALARS | TEXTS, lambda c: st.lists(c, max_size=4) | st.dictionaries(TEXTS, c, max_size=4))


def loads(text: bytes) -> JsonValue:
    return strict_json.loads(text, Origin("t", "t"), Notes())


def reason_of(text: bytes) -> str:
    with pytest.raises(PayloadError) as caught:
        loads(text)
    return caught.value.reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"hello", "not_json"),
        (b"{a:1}", "not_json"),
        (b"{'a':1}", "not_json"),
        (b'{"a":1,}', "not_json"),
        (b'{"a":5 kWh}', "not_json"),
        (b'{"a":nan', "not_json"),
        (b'{"a":nan,"a":1}', "duplicate_key"),
        (b"[nan," + b"[" * 17 + b"]" * 18, "too_deep"),
        (b"[nan," + b"[" * 100_000 + b"]" * 100_001, "too_deep"),
        (b"[nan," + b"0," * 10_000 + b"0]", "too_many_items"),
        (b'{"a":1} x', "not_json"),
        (b'{"a":"\\ud800"}', "not_json"),
        (b'{"a":"\\ud800","b":nan}', "not_json"),
        (b'{"a":"\xff"}', "not_utf8"),
        (b'{"a":1,"a":1}', "duplicate_key"),
        (b'{"a":1,"\\u0061":1}', "duplicate_key"),
        (b'{"x":{"a":1,"b":2,"a":3}}', "duplicate_key"),
        (b'[{"a" : 1, "a" : "::"}]', "duplicate_key"),
        (b'{"a":1,"a":"\\u003a"}', "duplicate_key"),
        (b'{"t":"16:00:00","t":"16:00:00"}', "duplicate_key"),
        (b"[" * 17 + b"]" * 17, "too_deep"),
        (b"[" * 1000 + b"]" * 1000, "too_deep"),
        (b'{"a":' + b"[" * 900 + b"]" * 900 + b',"a":1}', "duplicate_key"),
        (b"[" + b"0," * 10_000 + b"0]", "too_many_items"),
    ],
)
def test_what_would_store_a_wrong_value_is_refused(text: bytes, reason: str) -> None:
    assert reason_of(text) == reason


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":18446744073709551615,"b":-9223372036854775808}',
        b'{"a":1e300,"b":-2.5e19}',
        b'{"a:b":"c:d","e":"16:00:00Z"}',
        b'{"a":"\\u003a\\\\"}',
        b"[" * 16 + b"]" * 16,
        b"[" + b"0," * 9_999 + b"0]",
        b' {"a" : 1 }\n',
    ],
)
def test_what_is_legal_passes_unchanged(text: bytes) -> None:
    assert loads(text) == json.loads(text)


@pytest.mark.parametrize("digits", ["18446744073709551616", "-9223372036854775809", "1" + "0" * 300, "9" * 5_000])
def test_an_integer_beyond_64_bit_is_the_text_of_its_digits(digits: str) -> None:
    assert loads(f'{{"a":{digits},"b":1}}'.encode()) == {"a": digits, "b": 1}


@pytest.mark.parametrize(
    ("mark", "kind"), [(b'\xef\xbb\xbf{"a":1}', "bom"), (b'{"a":1}\0', "nul"), (b'{"a":1}\0\0\0', "nul")]
)
def test_what_editors_and_c_programs_add_is_tolerated_and_noted(mark: bytes, kind: str) -> None:
    notes = Notes()

    assert strict_json.loads(mark, Origin("t", "t"), notes) == {"a": 1}
    assert notes.tolerated == {kind: 1}


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        *((word, "not_a_number") for word in ("nan", "NaN", "NAN", "-nan", "inf", "-inf", "Infinity", "-Infinity")),
        *((word, "not_a_number") for word in ("nan(ind)", "1.#QNAN", "-1.#IND")),
        *(
            (word, "bad_value")
            for word in ("", "N/A", "None", "undefined", "--", "007", "+5", ".5", "5.", "0x1f", "1e400")
        ),
    ],
)
def test_one_word_that_is_no_value_costs_no_other(word: str, reason: str) -> None:
    document = loads(b'{"a":1.5,"b":{"c":' + word.encode() + b'},"d":"x: nan, \\" }"}')

    assert document == {"a": 1.5, "b": {"c": word}, "d": 'x: nan, " }'}
    unreadable = document["b"]["c"]  # type: ignore[call-overload,index]
    assert isinstance(unreadable, Unreadable)
    assert unreadable.fault[0] == reason


def test_unreadable_elements_keep_their_places() -> None:
    assert loads(b"[1,nan,{}, inf ,-5]") == [1, "nan", {}, "inf", -5]


def test_latin_1_is_named_and_read_where_the_route_says_so() -> None:
    body = '{"unit":"°C"}'.encode("latin-1")

    with pytest.raises(PayloadError, match='looks like Latin-1, which a route with encoding = "latin-1" reads'):
        loads(body)
    assert strict_json.loads(body, Origin("t", "t", encoding="latin-1"), Notes()) == {"unit": "°C"}


@given(DOCUMENTS)
def test_every_document_without_fault_passes(document: object) -> None:
    assert loads(orjson.dumps(document)) == orjson.loads(orjson.dumps(document))
    assert loads(json.dumps(document).encode()) == orjson.loads(json.dumps(document))


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=5))
def test_a_repeated_key_is_found_exactly_where_there_is_one(pairs: list[tuple[str, str]]) -> None:
    for ascii_only in (True, False):
        members = (
            f"{json.dumps(k, ensure_ascii=ascii_only)}:{json.dumps(v).replace(':', chr(92) + 'u003a')}"
            for k, v in pairs
        )
        text = ("{" + ",".join(members) + "}").encode()
        if len({key for key, _ in pairs}) < len(pairs):
            assert reason_of(text) == "duplicate_key"
        else:
            assert loads(text) == dict(pairs)
