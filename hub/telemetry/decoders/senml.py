"""SenML packs (RFC 8428) in JSON and CBOR: from records to device, metric and unit (device-formats section 3).

    [{"bn":"urn:dev:ow:10e2073a01080063:","n":"voltage","u":"V","v":120.1},{"n":"current","u":"A","v":1.2}]

Not here: how a record resolves (senml_records). A bad record costs that record, and the payload is quarantined with its
position; a broken base field costs the pack, as it reaches into all records behind it. Units are kept as sent: they are
SenML's already, and its `%` is a ratio.

Device and metric of a resolved name:
- `urn:dev:<kind>:<id>` (RFC 9039) is the device, the metric what follows behind `:`, `/` or `_`;
- else the base name is the device, without one `/`, `:`, `-`, `_` or `.` at its end, and the name the metric;
- else the topic names the device.
Without a metric the unit is it, `value` without a unit: records that share a name and differ by unit are different series.
A sum is the metric `<metric>.sum`, without a unit (it is in unit-seconds).
"""

import re
from collections.abc import Iterable
from typing import Final

from hub.telemetry.decoders import cbor_reader, strict_json
from hub.telemetry.decoders.cbor_reader import CborValue
from hub.telemetry.decoders.row import Guess, Peek, Row
from hub.telemetry.decoders.senml_records import BASE, LABELS, Fields, Record, resolve
from hub.telemetry.decoders.strict_json import JsonValue
from hub.telemetry.decoders.text import BOM
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from hub.telemetry.scalars import SPACES, as_stored
from hub.telemetry.validation import MAX_ITEMS
from storage.reading import Reading

_DEVICE_URN: Final = re.compile(r"(urn:dev:[^:]+:[^:/_]+)(?:[:/_](.*))?", re.DOTALL)
_SEPARATORS: Final = ("/", ":", "-", "_", ".")
_NAMES: Final = frozenset({"bn", "n"})
_VALUES: Final = frozenset({"v", "vs", "vb", "vd", "s"})
_KNOWN: Final = frozenset(LABELS.values())


def decode(body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Decode one payload, JSON or CBOR: their first bytes differ. See the head of this file and `Decoder`."""
    text = body.removeprefix(BOM).lstrip(SPACES.encode())
    if not text:
        notes.skip("empty")
        return []
    if text[:1] == b"[":
        return readings_of(strict_json.loads(body, origin, notes), origin, received_us, notes)
    if text[:1] == b"{":
        raise PayloadError("not_senml", "a pack is an array")
    return cbor_readings_of(cbor_reader.loads(body), origin, received_us, notes)


def is_pack(document: JsonValue) -> bool:
    """Return whether a JSON document is a pack: all its records carry labels, a name and a value among them.

    Also if nothing but base fields stands in it, a name among them: a pack without readings. An empty object in between says
    nothing about what the others are; if they are a pack, it is a faulty one.
    """
    if not isinstance(document, list):
        return False
    seen: set[str] = set()
    for record in document:
        if not isinstance(record, dict) or (record and _KNOWN.isdisjoint(record)):
            return False
        if not all(isinstance(record.get(label, ""), str) for label in ("bn", "n")):
            return False
        seen.update(record)
    return not _NAMES.isdisjoint(seen) and (not _VALUES.isdisjoint(seen) or (seen <= BASE and "bn" in seen))


def is_cbor_pack(document: CborValue) -> bool:
    """Return whether a CBOR document is a pack: an array of maps; those that are not empty have SenML's integer labels."""
    if not isinstance(document, list) or not any(document):
        return False
    return all(isinstance(record, dict) and not (record and LABELS.keys().isdisjoint(record)) for record in document)


def readings_of(document: JsonValue, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Read a pack that was JSON."""
    if not isinstance(document, list):
        raise PayloadError("not_senml", "a pack is an array")
    return _readings(document, origin, received_us, notes)


def cbor_readings_of(document: CborValue, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Read a pack that was CBOR: its labels are integers."""
    if not isinstance(document, list):
        raise PayloadError("not_senml", "a pack is an array")
    pack: list[Fields | None] = []
    for position, record in enumerate(document):
        if not isinstance(record, dict):
            pack.append(None)
            continue
        fields = {LABELS.get(key, str(key)) if isinstance(key, int) else key: v for key, v in record.items()}
        if len(fields) < len(record):
            raise PayloadError("duplicate_key", f"[{position}] has a label both as a number and as text")
        pack.append(fields)
    return _readings(pack, origin, received_us, notes)


def _readings(pack: Iterable[object], origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    readings: list[Reading] = []
    bad = 0
    for record in resolve(pack, received_us):
        if len(readings) + bad >= MAX_ITEMS:
            raise PayloadError("too_many_items", f"more than {MAX_ITEMS} values and bad records in one pack")
        if isinstance(record, PayloadError):
            bad += 1
            notes.fault(record.reason, record.detail)
            continue
        device, metric = _series(record, origin)
        if device != origin.device and not origin.gateway:
            raise PayloadError("device_mismatch", f"the pack names {device[:80]!r}, the topic {origin.device[:80]!r}")
        before = len(readings)
        value = record.value
        if isinstance(value, bytes):
            notes.skip("binary")
        elif value is not None:
            readings.append(Reading(device, metric, record.time_us, _stored(value, notes), record.unit))
        if record.sum is not None:
            readings.append(Reading(device, f"{metric}.sum", record.time_us, _stored(record.sum, notes), ""))
        if record.reckoned and record.time_us == received_us:
            notes.without_time(len(readings) - before)
        elif record.reckoned:
            notes.reckoned(record.time_us)
    if not readings and not notes.dirty:
        notes.skip("empty")  # base fields only
    return readings


def _stored(value: float | bool | str, notes: Notes) -> float | bool | str:
    return value if isinstance(value, bool | str) else as_stored(value, notes)


def _series(record: Record, origin: Origin) -> tuple[str, str]:
    if match := _DEVICE_URN.fullmatch(record.base_name + record.name):
        device, metric = match[1], match[2] or ""
    elif record.base_name:
        base = record.base_name
        device, metric = base[:-1] if base.endswith(_SEPARATORS) else base, record.name
    else:
        device, metric = origin.device, f"{origin.prefix}{record.name}" if record.name else origin.metric
    return device, metric or record.unit or "value"


def _guess(peek: Peek, origin: Origin, received_us: int, notes: Notes) -> list[Reading] | None:
    return readings_of(peek.array, origin, received_us, notes) if is_pack(peek.array) else None


ROW: Final = Row(
    "senml",
    lambda: decode,
    media_types=("application/senml+json", "application/senml+cbor"),
    guess=Guess(10, b"[", _guess),
    options=frozenset({"metric_level"}),
)
