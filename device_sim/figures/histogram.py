"""Latencies as an HDR histogram: every value to 3 significant digits, from 1 µs to an hour, in 190 KB whatever the count.

What it is: the library `hdrhistogram` with two things added, seconds as the unit and recording in bulk. Recording one
value in Python costs the library 3 cpu-µs, more than sending a message; so values are gathered and numpy counts them
into the library's array.

Rules: what is recorded is never lost and never sampled; values below 1 µs count as 1 µs, above an hour as an hour.
Histograms of several processes add up. `encode` gives the HDR interchange form (V2, zlib, base64), which other HDR
tools read.
"""

from collections.abc import Iterable
from typing import Final, Self

import numpy as np
from hdrh.histogram import HdrHistogram

LOWEST_US: Final = 1
HIGHEST_US: Final = 3_600_000_000
DIGITS: Final = 3
GATHER: Final = 8_192
"""Values kept before they are recorded: at 20,000 a second twice or three times a second."""
PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9)


class Histogram:
    """Counts of durations. `record` takes seconds; everything that comes out is in seconds too."""

    __slots__ = ("_digits", "_hdr", "_waiting")

    def __init__(self, digits: int = DIGITS) -> None:
        self._digits = digits
        self._hdr = HdrHistogram(LOWEST_US, HIGHEST_US, digits)
        self._waiting: list[float] = []

    def record(self, seconds: Iterable[float]) -> None:
        """Count these durations."""
        self._waiting.extend(seconds)
        if len(self._waiting) >= GATHER:
            self._settle()

    @property
    def count(self) -> int:
        return int(self._hdr.get_total_count()) + len(self._waiting)

    @property
    def max_s(self) -> float:
        """The longest, 0 when there is none."""
        self._settle()
        return int(self._hdr.get_max_value()) / 1e6 if self.count else 0.0

    @property
    def mean_s(self) -> float:
        self._settle()
        return float(self._hdr.get_mean_value()) / 1e6 if self.count else 0.0

    def percentile_s(self, percent: float) -> float:
        """Return the duration that `percent` of all do not exceed, 0 when there is none."""
        self._settle()
        total = int(self._hdr.get_total_count())
        if not total:
            return 0.0
        # What the library's own method returns, without its walk through all counts in Python.
        running = np.cumsum(np.ctypeslib.as_array(self._hdr.counts))
        index = int(np.searchsorted(running, max(int(percent / 100 * total + 0.5), 1)))
        value = self._hdr.get_value_from_index(index)
        return int(self._hdr.get_highest_equivalent_value(value)) / 1e6

    def curve(self) -> list[tuple[float, float]]:
        """Return (percent, seconds) points that draw the whole distribution, dense towards the slowest."""
        self._settle()
        if not self.count:
            return []
        steps = self._hdr.get_percentile_iterator(5)
        return [(float(step.percentile_level_iterated_to), int(step.value_iterated_to) / 1e6) for step in steps]

    def add(self, other: Self) -> None:
        """Count also what `other` counted; both were made with the same digits."""
        self._settle()
        other._settle()
        if other.count:
            self._hdr.add(other._hdr)

    def encode(self) -> str:
        """Return the counts as text: HDR V2, zlib, base64."""
        self._settle()
        encoded: bytes = self._hdr.encode()
        return encoded.decode("ascii")

    @classmethod
    def decode(cls, text: str, digits: int = DIGITS) -> Self:
        """Make a histogram from what `encode` returned."""
        histogram = cls(digits)
        histogram._hdr.decode_and_add(text)
        return histogram

    def as_json(self) -> dict[str, float | int | str]:
        """Return the figures of a report: milliseconds to 3 decimals, and the whole histogram in the interchange form."""
        figures: dict[str, float | int | str] = {"count": self.count}
        for percent in PERCENTILES:
            figures[f"p{percent:g}_ms"] = round(self.percentile_s(percent) * 1e3, 3)
        return figures | {
            "max_ms": round(self.max_s * 1e3, 3),
            "mean_ms": round(self.mean_s * 1e3, 3),
            "hdr": self.encode(),
        }

    def _settle(self) -> None:
        if not self._waiting:
            return
        hdr = self._hdr
        us = np.clip(np.rint(np.asarray(self._waiting) * 1e6), LOWEST_US, HIGHEST_US).astype(np.int64)
        self._waiting.clear()
        # Where the library's own `_counts_index_for` puts a value: which power of two, and where in its even sub-buckets.
        bucket = np.maximum(np.frexp(us.astype(np.float64))[1] - hdr.sub_bucket_half_count_magnitude - 1, 0)
        places = ((bucket + 1) << hdr.sub_bucket_half_count_magnitude) + (us >> bucket) - hdr.sub_bucket_half_count
        np.add.at(np.ctypeslib.as_array(hdr.counts), places, 1)
        hdr.total_count += len(us)
        hdr.min_value = min(hdr.min_value, int(us.min()))
        hdr.max_value = max(hdr.max_value, int(us.max()))
