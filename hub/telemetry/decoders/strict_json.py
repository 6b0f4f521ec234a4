"""JSON as strict as storage needs it, at orjson's speed.

orjson refuses NaN, infinities, trailing data, lone surrogates and bad UTF-8 by itself. What it lets through would store
a wrong value or too many: a repeated key (the last wins), an integer beyond 64 bit (becomes a float), depth and items
without limit. A census of the parsed document finds them:

- every key costs one `:` in the text, so a document whose keys and strings hold as many `:` as the text has no repeated
  key. Only where the counts differ, or an escape may hide a `:`, the standard library decides.
- an integer beyond 64 bit shows as a float beyond 2^63; only then the text is read again.

Measured on the three-metric payload: 0.24 µs to parse, 0.09 µs to count; the standard library needs 3.0 µs.
"""

import json
from typing import Final, TypeAlias

import orjson

from hub.telemetry.errors import PayloadError
from hub.telemetry.validation import MAX_DEPTH, MAX_ITEMS

JsonValue: TypeAlias = "dict[str, JsonValue] | list[JsonValue] | str | bytes | int | float | bool | None"
"""What a document holds; octets only where it was CBOR."""

BEYOND_INT64: Final = 2.0**63
BOM: Final = b"\xef\xbb\xbf"
_MAX_INT: Final = 2**64 - 1
_MIN_INT: Final = -(2**63)
_MAX_INT_DIGITS: Final = 20


def loads(body: bytes) -> JsonValue:
    """Parse one JSON text; a byte order mark in front is allowed (RFC 8259 section 8.1).

    Raises:
        PayloadError: `not_json`, `duplicate_key`, `integer_range`, `too_deep`, `too_many_items`.

    """
    text = body.removeprefix(BOM)
    return checked(parse(text), text)


def parse(text: bytes) -> JsonValue:
    """Parse without the census: for a caller that makes a cheaper one, or calls `checked`."""
    try:
        document: JsonValue = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise PayloadError("not_json", str(error)) from None
    return document


def checked(document: JsonValue, text: bytes) -> JsonValue:
    """Return `document`, parsed from `text`, if it keeps the rules at the head of this file."""
    keys = hidden_colons = items = 0
    wide_number = False
    stack: list[tuple[JsonValue, int]] = [(document, 1)]
    while stack:
        value, depth = stack.pop()
        kind = value.__class__
        if kind is str:
            hidden_colons += value.count(":")  # type: ignore[union-attr,arg-type]  # kind is its class
        elif kind is float:
            wide_number = wide_number or not -BEYOND_INT64 < value < BEYOND_INT64  # type: ignore[operator]
        elif isinstance(value, dict | list):
            if depth > MAX_DEPTH:
                raise PayloadError("too_deep", f"nested deeper than {MAX_DEPTH} levels")
            items += len(value)
            if items > MAX_ITEMS:
                raise PayloadError("too_many_items", f"more than {MAX_ITEMS} values in one payload")
            if isinstance(value, dict):
                keys += len(value)
                hidden_colons += sum(key.count(":") for key in value)
                stack.extend((child, depth + 1) for child in value.values())
            else:
                stack.extend((child, depth + 1) for child in value)
    escapes_may_hide = hidden_colons and b"\\" in text
    if wide_number or escapes_may_hide or text.count(b":") != keys + hidden_colons:
        _read_again(text)
    return document


def _read_again(text: bytes) -> None:
    try:
        json.loads(text, object_pairs_hook=_no_repeats, parse_int=_in_64_bit)
    except RecursionError:  # depth hidden behind a repeated key, where the census cannot see it
        raise PayloadError("too_deep", f"nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:  # two parsers disagree: refuse
        raise PayloadError("not_json", str(error)) from None


def _no_repeats(pairs: list[tuple[str, object]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise PayloadError("duplicate_key", f"key {key!r} stands twice in one object")
        seen.add(key)


def _in_64_bit(digits: str) -> None:
    # The length first: int() takes quadratic time, and refuses more than 4,300 digits in its own way.
    if len(digits.lstrip("-")) > _MAX_INT_DIGITS or not _MIN_INT <= int(digits) <= _MAX_INT:
        raise PayloadError("integer_range", f"{digits[:40]} does not fit into 64 bit")
