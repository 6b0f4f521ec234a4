"""CBOR with the shapes of plain JSON (device-formats section 4).

    a26b74656d7065726174757265f94d606274731a6553f100    {"temperature": 21.5, "ts": 1700000000}

Not here: the octets (cbor_reader), the shapes (json). An integer key is the name that its digits are; byte strings are no
readings.
"""

from typing import Final

from hub.telemetry.decoders import cbor_reader, json
from hub.telemetry.decoders.cbor_reader import SELF_DESCRIBED, CborValue
from hub.telemetry.decoders.strict_json import JsonValue
from hub.telemetry.notes import Notes
from hub.telemetry.origin import Origin
from storage.reading import Reading

_FIRST_ARRAY: Final = 0x80
_LAST_MAP: Final = 0xBF


def decode(body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Decode one payload; see the head of this file and `Decoder`."""
    if not body:
        notes.skip("empty")
        return []
    return readings_of(cbor_reader.loads(body), origin, received_us, notes)


def readings_of(document: CborValue, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Read what was parsed."""
    return json.readings_of(_as_json(document), origin, received_us, notes)


def begins_container(body: bytes) -> bool:
    """Say whether the first octets announce a map or an array: both never begin UTF-8 text."""
    body = body.removeprefix(SELF_DESCRIBED)
    return bool(body) and _FIRST_ARRAY <= body[0] <= _LAST_MAP


def _as_json(value: CborValue) -> JsonValue:
    """Name integer keys; the reader has bounded the depth."""
    if isinstance(value, dict):
        return {str(key): _as_json(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_as_json(child) for child in value]
    return value
