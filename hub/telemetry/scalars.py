"""Values in text, and what a number is stored as (device-formats 0.4).

The grammar of numbers is ours and ASCII only: `float()` would take `nan`, `1_000` and full-width digits. `23,5` is text:
nobody knows whether it is a list or a number.

A text of digits may be an identifier, which as a number would be another one. Text therefore is what
- has a zero in front of another digit and no fraction (`007`, `04E98212`): numbers are not written that way;
- has an exponent without a point or a sign in front of it (`93E2`): software writes 9.3e+03, hexadecimal serials look so;
- is an integer beyond 2^53, of which a float would lose digits;
- stands under a name that says so (`uid`, `Meter_ID`, `serialNumber`): one card's digits are all decimal, the next one's
  are not, and both are of one series.
"""

import re
from typing import Final

import numpy as np

from hub.telemetry.notes import Notes

SPACES: Final = " \t\r\n"
EXACT_INT: Final = 2**53  # the largest integer up to which each has a float of its own
_NAMING: Final = re.compile(
    r"(?:(?:\A|[^A-Za-z0-9])(?i:id|uid|uuid|eui|imei|imsi|iccid|mac|ean|barcode|phone|msisdn|sn|vin|rfid|epc|serial)"
    r"|[a-z0-9](?:ID|Id|UID|Uid|EUI|Eui|Serial)"
    r"|(?i:serial)(?:[_ -]?(?i:number|no|nr)))\Z",
    re.ASCII,
)
_NO_VALUE: Final = frozenset({"", "none", "null", "undefined", "unavailable", "unknown", "n/a"})
# `1.#QNAN` and its like are what older C libraries of Windows print.
_NOT_A_NUMBER: Final = re.compile(r"[+-]?(?:nan(?:\([a-z0-9]*\))?|inf(?:inity)?|1\.#(?:qnan|snan|ind|inf)0*)", re.ASCII)
_MAX_NO_VALUE_CHARS: Final = 24
# Possessive, as `0*` and `[0-9]*` take the same characters: else 3,000 zeros and a letter take 0.5 s, and 1 MiB hours.
_NUMBER: Final = re.compile(r"([+-]?)(?=[0-9])(0*+)([0-9]*+)(\.[0-9]++)?([eE](?:[+-])?[0-9]++)?", re.ASCII)
_MAX_DIGITS: Final = 400  # before int(), which takes quadratic time
_PHONE_DIGITS: Final = 9  # with a plus in front: measurements are not written that way, telephone numbers are


def number_in(text: str, *, declared: bool = False) -> int | float | None:
    """Return the number that `text` is, spaces around it allowed; None if it is none, or must keep its digits.

    `declared`: the format says that it is a number, so it is no identifier; as an integer it may have any size.
    """
    plain = text.strip(SPACES)
    match = _NUMBER.fullmatch(plain)
    if match is None:
        return None
    sign, zeros, digits, fraction, exponent = match.groups()
    if fraction is None and not declared and _identifies(sign, zeros, digits, exponent):
        return None
    if fraction is None and exponent is None:
        return int(f"{sign}{digits or 0}") if len(digits) <= _MAX_DIGITS else None
    number = float(plain)
    return number if number - number == 0 else None  # infinite


def _identifies(sign: str, zeros: str, digits: str, exponent: str | None) -> bool:
    """Return whether digits without a fraction are rather a name than a number."""
    if zeros and (digits or len(zeros) > 1):
        return True
    if exponent is not None:
        return exponent[1] not in "+-"
    wide = len(digits) > len(str(EXACT_INT)) or int(digits or 0) > EXACT_INT
    return wide or (sign == "+" and len(digits) > _PHONE_DIGITS)


def names(metric: str) -> bool:
    """Return whether a metric's name marks an identifier (`Meter_ID`, `uid`, `serialNumber`), whose digits are no number."""
    return _NAMING.search(metric) is not None


def no_value(text: str) -> bool:
    """Return whether a text says that there is no value: empty, `nan`, `-inf`, `N/A`, `unavailable` ... in any case."""
    if len(text) > _MAX_NO_VALUE_CHARS:
        return False
    word = text.strip(SPACES).lower()
    return word in _NO_VALUE or not_a_number(word)


def not_a_number(word: str) -> bool:
    """Return whether a word is one of those that programs print for a number that is none, or is infinite."""
    return _NOT_A_NUMBER.fullmatch(word.lower()) is not None


def as_stored(number: float, notes: Notes) -> float | str:
    """Return what stands for a number: the 64-bit float, or the digits of an integer that a float would round."""
    if isinstance(number, int) and not -EXACT_INT <= number <= EXACT_INT:
        notes.spelled_out()
        return str(number)
    return float(number)


def shortest(value: float) -> float:
    """Return the float64 that is written with the fewest digits among those that are `value` in 32 bit.

    Widened bit by bit, the float32 for 12.1 is 12.100000381469727: an artefact on every dashboard, and another value than
    the one that the device shows. No digit is lost: the result rounds to the same float32.
    """
    return float(str(np.float32(value)))
