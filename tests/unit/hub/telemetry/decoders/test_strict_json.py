"""Strictness of the JSON text."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.telemetry.decoders.strict_json import loads
from hub.telemetry.errors import PayloadError

SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
TEXTS = st.text(st.sampled_from(':"\\{},a\u00e9'), max_size=6)
DOCUMENTS = st.recursive(SCALARS | TEXTS, lambda c: st.lists(c, max_size=4) | st.dictionaries(TEXTS, c, max_size=4))


def reason_of(text: bytes) -> str:
    with pytest.raises(PayloadError) as caught:
        loads(text)
    return caught.value.reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "not_json"),
        (b"NaN", "not_json"),
        (b'{"a":Infinity}', "not_json"),
        (b'{"a":1e400}', "not_json"),
        (b'{"a":1} x', "not_json"),
        (b'{"a":"\\ud800"}', "not_json"),
        (b'{"a":"\xff"}', "not_json"),
        (b'{"a":1,"a":1}', "duplicate_key"),
        (b'{"a":1,"\\u0061":1}', "duplicate_key"),
        (b'{"x":{"a":1,"b":2,"a":3}}', "duplicate_key"),
        (b'[{"a" : 1, "a" : "::"}]', "duplicate_key"),
        (b'{"a":1,"a":"\\u003a"}', "duplicate_key"),
        (b'{"t":"16:00:00","t":"16:00:00"}', "duplicate_key"),
        (b'{"a":18446744073709551616}', "integer_range"),
        (b"-9223372036854775809", "integer_range"),
        (b"1" + b"0" * 300, "integer_range"),
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


def test_a_byte_order_mark_is_ignored() -> None:
    assert loads(b'\xef\xbb\xbf{"a":1}') == {"a": 1}


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
