"""CBOR (RFC 8949) as strict as strict_json is with JSON: one item, and nothing of what makes parsers dangerous.

Ours, because a reading needs what libraries do not tell: which floats were sent in 32 bit (cbor2 6.3 widens them, and
12.1 becomes 12.100000381469727). Refused: indefinite lengths, repeated keys, keys that are neither text nor integers,
other simple values than false, true, null, undefined, depth and items beyond the limits, bytes behind the item, and tags
but these (security reference, section 8): 55799 in front; 4, a decimal fraction with an exponent of at most 30 and a 64-bit
mantissa; 2 and 3, integers of at most 64 bytes. Nothing is allocated for a length that is only announced.

NaN and infinities are read as None: they are no values. Byte strings stay bytes.
"""

import math
import struct
from typing import Final, NoReturn, TypeAlias

from hub.telemetry.notes import PayloadError
from hub.telemetry.scalars import shortest
from hub.telemetry.validation import MAX_DEPTH, MAX_ITEMS

CborValue: TypeAlias = "dict[int | str, CborValue] | list[CborValue] | str | bytes | int | float | bool | None"

SELF_DESCRIBED: Final = b"\xd9\xd9\xf7"
_BIG_INTEGER: Final = 2
_NEGATIVE_BIG_INTEGER: Final = 3
_DECIMAL_FRACTION: Final = 4
_MAX_EXPONENT: Final = 30
_MAX_BIG_INTEGER_BYTES: Final = 64
_SIMPLE: Final[dict[int, bool | None]] = {20: False, 21: True, 22: None, 23: None}
_FLOATS: Final = {25: struct.Struct(">e"), 26: struct.Struct(">f"), 27: struct.Struct(">d")}
_LENGTHS: Final = {24: 1, 25: 2, 26: 4, 27: 8}  # bytes of the argument behind the first
_SINGLE: Final = 26
_INDEFINITE: Final = 31


def loads(body: bytes) -> CborValue:
    """Read one item.

    Raises:
        PayloadError: `not_cbor`, `cbor_tag`, `cbor_indefinite`, `trailing_data`, `duplicate_key`, `bad_metric`,
            `too_deep`, `too_many_items`.

    """
    reader = _Reader(body)
    value = reader.item(1)
    if reader.position != len(body):
        raise PayloadError("trailing_data", f"{len(body) - reader.position} bytes behind the item")
    return value


class _Reader:
    def __init__(self, body: bytes) -> None:
        self._body = body
        self._items = 0
        self.position = len(SELF_DESCRIBED) if body.startswith(SELF_DESCRIBED) else 0

    def item(self, depth: int) -> CborValue:
        major, info = divmod(self._take(1)[0], 32)
        if major == 7:
            return self._simple_or_float(info)
        argument = self._argument(info)
        match major:
            case 0:
                value: CborValue = argument
            case 1:
                value = -1 - argument
            case 2:
                value = self._take(argument)
            case 3:
                value = self._text(argument)
            case 4:
                self._enter(argument, depth)
                value = [self.item(depth + 1) for _ in range(argument)]
            case 5:
                self._enter(argument, depth)
                value = self._map(argument, depth)
            case _:
                value = self._tagged(argument, depth)
        return value

    def _enter(self, items: int, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise PayloadError("too_deep", f"nested deeper than {MAX_DEPTH} levels")
        self._items += items
        if self._items > MAX_ITEMS:
            raise PayloadError("too_many_items", f"more than {MAX_ITEMS} values in one payload")

    def _map(self, pairs: int, depth: int) -> CborValue:
        found: dict[int | str, CborValue] = {}
        names: set[str] = set()  # 1 and "1" name the same metric
        for _ in range(pairs):
            key = self.item(depth + 1)
            if not isinstance(key, int | str) or isinstance(key, bool):
                raise PayloadError("bad_metric", "a key is neither text nor an integer")
            if str(key) in names:
                raise PayloadError("duplicate_key", f"key {key!r} stands twice in one map")
            names.add(str(key))
            found[key] = self.item(depth + 1)
        return found

    def _text(self, length: int) -> str:
        try:
            return self._take(length).decode()
        except UnicodeDecodeError as error:
            raise PayloadError("not_cbor", f"a text is not UTF-8: {error}") from None

    def _simple_or_float(self, info: int) -> float | bool | None:
        if info in _FLOATS:
            layout = _FLOATS[info]
            (number,) = layout.unpack(self._take(layout.size))
            if not math.isfinite(number):
                return None
            return shortest(number) if info == _SINGLE else float(number)
        if info == _INDEFINITE:
            self._refuse_indefinite()
        if info not in _SIMPLE:
            raise PayloadError("not_cbor", f"simple value {info} at byte {self.position - 1}")
        return _SIMPLE[info]

    def _tagged(self, tag: int, depth: int) -> float:
        if depth > MAX_DEPTH:
            raise PayloadError("too_deep", f"nested deeper than {MAX_DEPTH} levels")
        if tag in {_BIG_INTEGER, _NEGATIVE_BIG_INTEGER}:
            return self._big_integer(tag, depth)
        if tag != _DECIMAL_FRACTION:
            raise PayloadError("cbor_tag", f"tag {tag} is not taken")
        match self.item(depth + 1):
            case [bool(), _] | [_, bool()]:
                pass
            case [int(exponent), int(mantissa)] if abs(exponent) <= _MAX_EXPONENT:
                return float(f"{mantissa}e{exponent}")
        raise PayloadError("cbor_tag", f"tag 4 holds no exponent (at most ±{_MAX_EXPONENT}) and mantissa")

    def _big_integer(self, tag: int, depth: int) -> int:
        magnitude = self.item(depth + 1)
        if not isinstance(magnitude, bytes) or len(magnitude) > _MAX_BIG_INTEGER_BYTES:
            raise PayloadError("cbor_tag", f"tag {tag} holds no byte string of at most {_MAX_BIG_INTEGER_BYTES} bytes")
        return int.from_bytes(magnitude) if tag == _BIG_INTEGER else -1 - int.from_bytes(magnitude)

    def _argument(self, info: int) -> int:
        if info < 24:
            return info
        if info in _LENGTHS:
            return int.from_bytes(self._take(_LENGTHS[info]))
        if info == _INDEFINITE:
            self._refuse_indefinite()
        raise PayloadError("not_cbor", f"reserved length {info} at byte {self.position - 1}")

    def _refuse_indefinite(self) -> NoReturn:
        raise PayloadError("cbor_indefinite", f"an indefinite length at byte {self.position - 1}")

    def _take(self, length: int) -> bytes:
        end = self.position + length
        if end > len(self._body):
            raise PayloadError("not_cbor", f"ends at byte {len(self._body)}, within an item")
        taken = self._body[self.position : end]
        self.position = end
        return taken
