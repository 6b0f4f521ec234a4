"""CBOR with the shapes of plain JSON (device-formats section 4).

    a26b74656d7065726174757265f94d606274731a6553f100    {"temperature": 21.5, "ts": 1700000000}

Not here: the bytes (cbor_reader), the shapes (json). An integer key is the name that its digits are; byte strings are no
readings.
"""

from typing import Final

from hub.telemetry.decoders import cbor_reader, json, senml
from hub.telemetry.decoders.cbor_reader import CborValue
from hub.telemetry.decoders.row import Guess, Peek, Row
from hub.telemetry.decoders.strict_json import JsonValue
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from storage.reading import Reading

# Arrays, maps, and the tag that says that CBOR follows: the first two never begin UTF-8 text, the third is not UTF-8.
CONTAINERS: Final = bytes((*range(0x80, 0xC0), 0xD9))


def decode(body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Decode one payload; see the head of this file and `Decoder`."""
    if not body:
        notes.skip("empty")
        return []
    return readings_of(cbor_reader.loads(body), origin, received_us, notes)


def readings_of(document: CborValue, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Read what was parsed."""
    return json.readings_of(_as_json(document), origin, received_us, notes)


def _as_json(value: CborValue) -> JsonValue:
    """Name integer keys; the reader has bounded the depth."""
    if isinstance(value, dict):
        return {str(key): _as_json(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_as_json(child) for child in value]
    return value


def _guess(peek: Peek, origin: Origin, received_us: int, notes: Notes) -> list[Reading] | None:
    """Read what is not UTF-8; SenML where it is an array of maps with its labels."""
    if peek.text is not None:
        return None
    try:
        document = cbor_reader.loads(peek.body)
    except PayloadError as error:
        if error.reason in {"not_cbor", "trailing_data"}:
            return None
        raise
    if not isinstance(document, list | dict):
        return None
    if senml.is_cbor_pack(document):
        return senml.cbor_readings_of(document, origin, received_us, notes)
    return readings_of(document, origin, received_us, notes)


ROW: Final = Row(
    "cbor",
    lambda: decode,
    media_types=("application/cbor",),
    guess=Guess(40, CONTAINERS, _guess),
    options=frozenset({"arrays", "numbers", "zone", "metric_level"}),
)
