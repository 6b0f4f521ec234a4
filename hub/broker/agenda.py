"""When the held messages of paced subscriptions are due. No clock: the time is an argument."""

import heapq
from collections.abc import Container

from hub.broker.subscription import Subscription


class Agenda:
    """Times, subscriptions and topics, the next one first; entries of subscriptions that have ended are dropped in bulk."""

    __slots__ = ("_alive", "_count", "_due", "_stale")

    def __init__(self, alive: Container[Subscription]) -> None:
        """Take the subscriptions that have not ended."""
        self._alive = alive
        self._due: list[tuple[float, int, Subscription, str]] = []
        self._count = 0  # of all entries ever: those of one time come in their order
        self._stale = 0  # entries of subscriptions that have ended, at least

    def __len__(self) -> int:
        return len(self._due)

    def wake(self, when: float, subscription: Subscription, topic: str) -> None:
        """Remember that a paced subscription has a message to send at a time."""
        self._count += 1
        heapq.heappush(self._due, (when, self._count, subscription, topic))

    def release(self, now: float) -> float | None:
        """Send held messages whose time has come; gives when the next is due."""
        while self._due and self._due[0][0] <= now:
            _, _, subscription, topic = heapq.heappop(self._due)
            if subscription not in self._alive:
                # A topic whose message went out before its time, with a newer one, may have had two entries.
                self._stale = max(0, self._stale - 1)
            elif subscription.pacer is not None:
                subscription.pacer.release(topic, now)
        return self._due[0][0] if self._due else None

    def forget(self, ended: int) -> None:
        """Count entries of a subscription that has ended, and drop all such once they are the most."""
        self._stale += ended
        if 2 * self._stale > len(self._due):
            self._due = [entry for entry in self._due if entry[2] in self._alive]
            heapq.heapify(self._due)
            self._stale = 0
