"""Numbers in text, words that mean that there is no value (device-formats 0.4), and the float that a number is stored as.

The grammar is ours and ASCII only: `float()` would take `nan`, `1_000` and full-width digits. `23,5` is text: nobody knows
whether it is a list or a number.
"""

import re
from typing import Final

from hub.telemetry.errors import PayloadError
from hub.telemetry.notes import Notes

NO_VALUE_TEXTS: Final = frozenset({"", "nan", "NaN", "inf", "None", "null", "unavailable", "unknown"})
SPACES: Final = " \t\r\n"
EXACT_INT: Final = 2**53  # the largest integer up to which each has a float of its own
# Possessive, as `0*` and `[0-9]*` take the same octets: else 3,000 zeros and a letter take 0.5 s, and 1 MiB of them hours.
_NUMBER: Final = re.compile(r"([+-]?)(?=[0-9])0*+([0-9]*+)(\.[0-9]++)?([eE][+-]?[0-9]++)?", re.ASCII)
_MAX_DIGITS: Final = 20  # before int(), which takes quadratic time
MAX_UINT64: Final = 2**64 - 1
MIN_INT64: Final = -(2**63)


def number_in(text: str) -> int | float | None:
    """Return the number that `text` is, None if it is none. Spaces around it are allowed.

    Raises:
        PayloadError: `integer_range`, `number_range`.

    """
    plain = text.strip(SPACES)
    match = _NUMBER.fullmatch(plain)
    if match is None:
        return None
    sign, digits, fraction, exponent = match.groups()
    if fraction is None and exponent is None:
        if len(digits) > _MAX_DIGITS or not MIN_INT64 <= (integer := int(f"{sign}0{digits}")) <= MAX_UINT64:
            raise PayloadError("integer_range", f"{plain[:40]} does not fit into 64 bit")
        return integer
    number = float(plain)
    if number - number != 0:  # infinite
        raise PayloadError("number_range", f"{plain[:40]} is beyond a 64-bit float")
    return number


def as_stored(number: float, notes: Notes) -> float:
    """Return the 64-bit float that stands for a number; it is noted that digits of an integer were lost."""
    if isinstance(number, int) and not -EXACT_INT <= number <= EXACT_INT:
        notes.lost_digits()
    return float(number)
