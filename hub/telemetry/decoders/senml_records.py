"""How the records of a SenML pack resolve (RFC 8428 section 4.6), whatever they were written in.

Base fields stay in force until the same one comes again. A time below 2^28 seconds is relative to now. A record that breaks
a rule costs itself alone, and its base fields count for those behind it. The pack is refused only where all that follows
would be guesswork: a base field of another type, a version above ours, a label that must be understood and is not. `ut`
(within how many seconds the next record is expected) is checked and not kept: nothing here waits for a reading.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from hub.telemetry.notes import PayloadError
from hub.telemetry.validation import MAX_NAME_CHARS

Fields: TypeAlias = dict[str, Any]

LABELS: Final = {
    **dict(zip(range(-1, -7, -1), ("bver", "bn", "bt", "bu", "bv", "bs"), strict=True)),
    **dict(enumerate(("n", "u", "v", "vs", "vb", "s", "t", "ut", "vd"))),
}
_BASE_TEXTS: Final = ("bn", "bu")
_BASE_NUMBERS: Final = ("bt", "bv", "bs", "bver")
BASE: Final = frozenset({*_BASE_TEXTS, *_BASE_NUMBERS})
_OWN: Final = frozenset(LABELS.values()) - BASE
_VALUES: Final = ("v", "vs", "vb", "vd")
_VERSION: Final = 10
_RELATIVE_BELOW_S: Final = 2**28
_LATEST_S: Final = 10**11  # year 5138; in milliseconds it would be 1973
_MAX_NAME_CHARS: Final = 2 * MAX_NAME_CHARS + 1  # a device, a separator, a metric
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-:./_]*", re.ASCII)


class Record(NamedTuple):
    """One record with everything that it inherits."""

    base_name: str
    name: str
    unit: str
    time_us: int
    reckoned: bool  # relative to the receipt, which may be the receipt itself
    value: float | bool | str | bytes | None
    sum: float | None


def resolve(pack: Iterable[object], received_us: int) -> Iterator[Record | PayloadError]:
    """Yield the records that say something, and for each bad one what is wrong with it, with its position.

    Raises:
        PayloadError: the base is broken, and so the pack: `senml_version`, `senml_label`, `senml_value`.

    """
    base: Fields = {}
    for position, fields in enumerate(pack):
        if not isinstance(fields, dict):
            yield PayloadError("not_senml", f"[{position}] is no record")
            continue
        try:
            _check_base(fields)
        except PayloadError as error:
            raise PayloadError(error.reason, f"[{position}] {error.detail}") from None
        base.update((label, value) for label, value in fields.items() if label in BASE)
        try:
            record = _resolved(fields, base, received_us)
        except PayloadError as error:
            yield PayloadError(error.reason, f"[{position}] {error.detail}")
        else:
            if record is not None:
                yield record


def _check_base(fields: Fields) -> None:
    for label in fields:
        if label.endswith("_"):
            raise PayloadError("senml_label", f"{label[:80]!r} must be understood, and is not")
    for label in _BASE_TEXTS:
        _text(fields, label)
    for label in _BASE_NUMBERS:
        _number(fields, label)
    if fields.get("bver", _VERSION) > _VERSION:
        raise PayloadError("senml_version", f"version {fields['bver']} is above {_VERSION}")


def _resolved(fields: Fields, base: Fields, received_us: int) -> Record | None:
    if _OWN.isdisjoint(fields):
        if BASE.isdisjoint(fields):
            raise PayloadError("senml_value", "a record without a label that is known")
        return None
    if _number(fields, "ut") < 0:
        raise PayloadError("senml_value", "'ut' is below 0")
    base_name, name = _text(base, "bn"), _text(fields, "n")
    if len(base_name) + len(name) > _MAX_NAME_CHARS:  # before they are joined: thousands of records may share a base
        raise PayloadError("senml_name", f"{base_name[:40] + name[:40]!r}… is longer than {_MAX_NAME_CHARS}")
    if not _NAME.fullmatch(base_name + name):
        raise PayloadError("senml_name", f"{(base_name + name)[:80]!r} is no name")
    time_us, reckoned = _time(_number(base, "bt"), _number(fields, "t"), received_us)
    unit = _text(fields, "u") or _text(base, "bu")
    value = _value(fields, base)
    total = _sum(_number(fields, "s"), _number(base, "bs")) if "s" in fields else None
    if value is None and total is None:
        raise PayloadError("senml_value", "a record without a value")
    return Record(base_name, name, unit, time_us, reckoned, value, total)


def _value(fields: Fields, base: Fields) -> float | bool | str | bytes | None:
    present = [label for label in _VALUES if label in fields]
    if not present:
        return None
    if len(present) > 1:
        raise PayloadError("senml_value", f"a record with {' and '.join(present)}")
    label = present[0]
    if label == "v":
        return _sum(_number(fields, "v"), _number(base, "bv"))
    if label == "vs":
        return _text(fields, "vs")
    value = fields[label]
    if label == "vb" and isinstance(value, bool):
        return value
    if label == "vd" and isinstance(value, str | bytes):
        return value if isinstance(value, bytes) else value.encode()
    raise PayloadError("senml_value", f"{label!r} is of another type")


def _time(base_s: float, own_s: float, received_us: int) -> tuple[int, bool]:
    """Return µs since 1970, and whether they are reckoned from the receipt."""
    total_s = base_s + own_s
    if abs(total_s) >= _LATEST_S or abs(base_s) >= _LATEST_S:
        raise PayloadError("bad_time", f"{total_s} is no time in seconds")
    # Each for itself: their sum in seconds would lose the last microseconds.
    time_us = round(base_s * 1_000_000) + round(own_s * 1_000_000)
    if total_s < _RELATIVE_BELOW_S:
        return received_us + time_us, True
    return time_us, False


def _sum(value: float, base: float) -> float:
    total = value + base
    if not math.isfinite(total):
        raise PayloadError("number_range", f"{value} + {base} is beyond a 64-bit float")
    return total


def _number(fields: Mapping[str, Any], label: str) -> float:
    value = fields.get(label, 0)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PayloadError("senml_value", f"{label!r} is no number")
    return value


def _text(fields: Mapping[str, Any], label: str) -> str:
    value = fields.get(label, "")
    if not isinstance(value, str):
        raise PayloadError("senml_value", f"{label!r} is no text")
    return value
