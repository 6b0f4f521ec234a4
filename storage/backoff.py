"""Waiting times between attempts: exponential with full jitter, so that many hubs do not return in one moment."""

import random
from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """`next_s()` after a failure, `reset()` after a success."""

    first_s: float = 0.05
    longest_s: float = 3.0
    failures: int = 0

    def next_s(self) -> float:
        ceiling = min(self.longest_s, self.first_s * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return random.uniform(ceiling / 4, ceiling)  # noqa: S311 - spreading load, not keeping a secret

    def reset(self) -> None:
        self.failures = 0
