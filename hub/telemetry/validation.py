"""What every decoder's output must satisfy before it may be stored: times, names, texts, units, sizes.

Not here: what a format means. The pipeline enforces all of it behind the decoder, so that a new one cannot forget it.
Decoders look at two of the limits while they read, for the sake of memory: how many values a payload may become, and how
long the names that many values share (`path_fault`).

Lengths are in characters. Control characters are refused because PostgreSQL cannot store NUL and because a name with a
line break forges log lines; nothing else about a name is normalised (`/a` and `a` are two devices).
"""

import re
from dataclasses import dataclass
from typing import Final

MAX_NAME_CHARS: Final = 256  # the longest measured in captures are Sparkplug paths of about 120
MAX_UNIT_CHARS: Final = 32
MAX_TEXT_CHARS: Final = 65_536
MAX_ITEMS: Final = 10_000  # values in one payload: 1 KiB must not become a million readings
MAX_DEPTH: Final = 16  # nested objects and arrays

US_PER_S: Final = 1_000_000
# 1973-03-03: a smaller clock counts from boot or was never set (device-formats 0.3); no fleet is older than this.
OLDEST_US: Final = 100_000_000 * US_PER_S
DEFAULT_FUTURE_US: Final = 300 * US_PER_S

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """Which device times are believable; µs since 1970 UTC. Late data is: no limit within living memory."""

    future_us: int = DEFAULT_FUTURE_US

    def newest_us(self, now_us: int) -> int:
        return now_us + self.future_us

    def fault(self, time_us: int, now_us: int, *, zoneless: str = "") -> str | None:
        """Return what is wrong with a device time, or None; one without a zone was taken to be in `zoneless`."""
        if time_us > now_us + self.future_us:
            ahead = (
                f"{(time_us - now_us) // US_PER_S} s ahead of the hub's clock, {self.future_us // US_PER_S} s allowed"
            )
            if not zoneless:
                return ahead
            hint = "set zone, in the route or as telemetry.zone for topics without one"
            return f"{ahead}; the time names no zone and was taken for {zoneless}: {hint}"
        if time_us < OLDEST_US:
            return f"{time_us} µs since 1970 is before 1973: the device's clock is not set"
        return None


def name_fault(name: str) -> str | None:
    """Return what makes `name` unusable as a device or metric, or None."""
    if not name:
        return "is empty"
    if len(name) > MAX_NAME_CHARS:
        return f"has {len(name)} characters, {MAX_NAME_CHARS} allowed"
    if _CONTROL.search(name):
        return "holds a control character"
    return None


def path_fault(prefix: str, key: str) -> str | None:
    """Return what makes `prefix` + `key` too long to be a name, or None; asked before it is built.

    Each of 10,000 values below one long key would hold a copy of the key: 1 MiB of JSON would become gigabytes.
    """
    if len(prefix) + len(key) > MAX_NAME_CHARS:
        return (
            f"the name {(prefix[:40] + key[:40])!r}… has {len(prefix) + len(key)} characters, {MAX_NAME_CHARS} allowed"
        )
    return None


def text_fault(text: str) -> str | None:
    """Return what makes `text` unusable as a value, or None. Line breaks are fine in values."""
    if len(text) > MAX_TEXT_CHARS:
        return f"has {len(text)} characters, {MAX_TEXT_CHARS} allowed"
    if "\0" in text:
        return "holds a NUL character, which PostgreSQL cannot store"
    return None


def value_fault(metric: str, value: float | str, unit: str) -> tuple[str, str] | None:
    """Return reason and detail for a value or unit that cannot be stored, or None."""
    if isinstance(value, str) and (fault := text_fault(value)):
        return "bad_text", f"{metric[:80]!r} {fault}"
    if fault := unit_fault(unit):
        return "bad_unit", f"{metric[:80]!r}: the unit {fault}"
    return None


def unit_fault(unit: str) -> str | None:
    """Return what makes `unit` unusable, or None. An empty unit is none."""
    if len(unit) > MAX_UNIT_CHARS:
        return f"has {len(unit)} characters, {MAX_UNIT_CHARS} allowed"
    if _CONTROL.search(unit):
        return "holds a control character"
    return None
