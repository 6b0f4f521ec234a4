"""One sum for everything that clients make the hub remember. Arithmetic only; `hub.observe.memory` measures and acts.

The parts have bounds of their own: an outbox, a queue, a transaction. A client that makes many of them would have no bound
at all, so their total has one (`limits.memory_bytes`), in steps:

    below 80 %   nothing
    from 80 %    publishers are not read; the largest holdings are shed by their policy until 75 % is reached
    from 100 %   new connections, subscriptions and work for queues are refused

Nobody may drop the messages of work queues, those delivered and not acknowledged included. So that they cannot stop
everything else, they have half of the budget, and what goes beyond is refused. The names of topics have a quarter.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from hub.refusal import Reason, Refusal

TIGHT: Final = 0.8
RELAXED: Final = 0.75
QUEUES: Final = 0.5
NAMES: Final = 0.25
UNBOUNDED: Final = 1 << 60


class Holding(NamedTuple):
    """What one owner keeps."""

    kind: str
    owner: str
    size: int
    shed: Callable[[], None] | None
    """Gives memory back by the owner's policy. None where nothing may be dropped, or where the owner is leaving."""


class Budget:
    """The total, and how much of it was used when it was measured last."""

    __slots__ = ("limit", "tight", "used", "work")

    def __init__(self, limit: int = UNBOUNDED) -> None:
        self.limit = limit
        self.used = 0
        self.work = 0  # of `used`: deliveries of work queues that are not acknowledged
        self.tight = False  # publishers have to wait

    @property
    def full(self) -> bool:
        """Whether new work is refused."""
        return self.used >= self.limit

    @property
    def excess(self) -> int:
        """Return how much is to be given back."""
        return max(0, self.used - int(self.limit * RELAXED)) if self.tight else 0

    def note(self, used: int, work: int) -> None:
        """Take what was measured."""
        self.used = used
        self.work = work
        self.tight = used >= self.limit * (RELAXED if self.tight else TIGHT)

    def admit(self, what: str, about: str = "") -> None:
        """See that there is room for something new.

        Raises:
            Refusal: there is none.
        """
        if self.full:
            text = f"the hub has no memory left for {what} (limits.memory_bytes, {self.limit} bytes); try again later"
            raise Refusal(Reason.MEMORY_FULL, text, about=about)

    def admit_work(self, queued: int, size: int, about: str) -> None:
        """See that there is room for messages of work queues, beside those that are queued already.

        Raises:
            Refusal: there is none.
        """
        self.admit("a message of a work queue", about)
        if queued + self.work + size > self.limit * QUEUES:
            text = (
                f"work queues hold {queued + self.work} bytes, half of limits.memory_bytes; consume them, or try again"
            )
            raise Refusal(Reason.MEMORY_FULL, text, about=about)


def largest(holdings: Iterable[Holding], excess: int) -> list[Holding]:
    """Return the largest holdings that can be shed, as many as it takes."""
    chosen: list[Holding] = []
    for holding in sorted(holdings, key=lambda one: one.size, reverse=True):
        if excess <= 0:
            break
        if holding.shed is not None and holding.size:
            chosen.append(holding)
            excess -= holding.size
    return chosen
