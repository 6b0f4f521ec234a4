"""When subscriptions have held messages to release. No clock: the time is an argument."""

import heapq
from collections.abc import Container
from typing import Final

from hub.broker.subscription import Subscription

MOST_AT_ONCE: Final = 16  # subscriptions that one `release` serves, so that it does not hold the loop


class Agenda:
    """Times and subscriptions, the next one first; entries of subscriptions that have ended are dropped in bulk."""

    __slots__ = ("_alive", "_count", "_due", "_stale")

    def __init__(self, alive: Container[Subscription]) -> None:
        """Take the subscriptions that have not ended."""
        self._alive = alive
        self._due: list[tuple[float, int, Subscription]] = []
        self._count = 0  # of all entries ever: those of one time come in their order
        self._stale = 0  # entries that are superseded, or of subscriptions that have ended

    def __len__(self) -> int:
        return len(self._due)

    def wake(self, when: float, subscription: Subscription) -> bool:
        """Note when a subscription has something to do; return whether that is earlier than what was known."""
        if subscription.wakes_at is not None:
            if subscription.wakes_at <= when:
                return False
            self._stale += 1
        subscription.wakes_at = when
        self._count += 1
        heapq.heappush(self._due, (when, self._count, subscription))
        return True

    def take(self, now: float) -> list[Subscription]:
        """Return subscriptions whose time has come, not too many at once."""
        taken: list[Subscription] = []
        while self._due and self._due[0][0] <= now and len(taken) < MOST_AT_ONCE:
            when, _, subscription = heapq.heappop(self._due)
            if subscription in self._alive and subscription.wakes_at == when:
                subscription.wakes_at = None
                taken.append(subscription)
            else:
                self._stale -= 1
        return taken

    @property
    def next_s(self) -> float | None:
        """Return when the next one is due."""
        return self._due[0][0] if self._due else None

    def forget(self, subscription: Subscription) -> None:
        """Drop a subscription that has ended; all of these at once, when they are the majority."""
        if subscription.wakes_at is None:
            return
        subscription.wakes_at = None
        self._stale += 1
        if 2 * self._stale > len(self._due):
            self._due = [entry for entry in self._due if entry[2].wakes_at == entry[0]]
            heapq.heapify(self._due)
            self._stale = 0
