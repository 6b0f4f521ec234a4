"""The counter `seq` of an edge node: whether messages were lost on the way.

One counter, modulo 256, runs through a node's births, data and device deaths. A number ahead of the expected one opens a
gap; the missing ones may still come, as messages overtake each other, for REORDER_US. Numbers behind are late ones or
repeats (a broker delivers again what was not acknowledged); only a payload newer than all before tells such a jump from a
loss of more than half a round. Time is that of receipt and there is no timer: a gap of a node that goes silent is found
with its next message.
"""

from typing import Final

ROUND: Final = 256
REORDER_US: Final = 1_000_000


class Sequence:
    """What is expected next, and what is missing."""

    __slots__ = ("_expected", "_missing", "_newest_ms", "_since_us")

    def __init__(self) -> None:
        self._expected: int | None = None
        self._missing: set[int] = set()
        self._since_us = 0
        self._newest_ms = 0

    def begin(self, seq: int | None, timestamp_ms: int | None) -> None:
        """Start at a birth of the node: 0, except from encoders that count on."""
        self._missing.clear()
        self._expected = None if seq is None else (seq + 1) % ROUND
        self._newest_ms = timestamp_ms or 0

    def take(self, seq: int | None, timestamp_ms: int | None, now_us: int) -> None:
        """Count a message of the node; those without a number say nothing."""
        if seq is None:
            return
        seq %= ROUND
        newer = timestamp_ms is not None and timestamp_ms > self._newest_ms
        self._newest_ms = max(self._newest_ms, timestamp_ms or 0)
        if self._expected is None:
            self._expected = (seq + 1) % ROUND
            return
        ahead = (seq - self._expected) % ROUND
        if seq in self._missing:
            self._missing.discard(seq)
        elif ahead < ROUND // 2 or newer:
            if ahead and not self._missing:
                self._since_us = now_us
            self._missing.update((self._expected + i) % ROUND for i in range(ahead))
            self._expected = (seq + 1) % ROUND

    def gap(self, now_us: int) -> bool:
        """Say, once for each gap, whether messages are missing for longer than they may be late."""
        if not self._missing or now_us - self._since_us < REORDER_US:
            return False
        self._missing.clear()
        return True
