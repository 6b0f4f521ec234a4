"""How long the benchmarks measure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effort:
    """Rounds of each comparison and seconds of each run."""

    rounds: int
    seconds: float
    only: str = ""  # part of a row's name: the others are left out
    quick: bool = False

    def wants(self, row: str) -> bool:
        """Whether a row is to be measured."""
        return self.only in row


FULL = Effort(rounds=5, seconds=5.0)
QUICK = Effort(rounds=1, seconds=1.0, quick=True)
