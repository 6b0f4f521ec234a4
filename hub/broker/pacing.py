"""Fewer messages for a dashboard: the stage for `max-rate` and `dead-band`.

Per topic: a message within the period since the last one is held, a newer one replaces it (the newest wins), and the held
one goes out when the period has passed. With a dead band a reading whose value is closer than that to the last one sent
is skipped; anything without a number passes. What is replaced or skipped is counted.

Remembers at most MAX_TOPICS topics, and a bound of bytes; the one known for longest is forgotten first, its held
message sent at once.
"""

import heapq
from collections.abc import Callable
from typing import Final

from hub.broker.options import Options
from hub.broker.outbox import Owed
from hub.broker.publication import OVERHEAD, Publication

MAX_TOPICS: Final = 10_000
MOST_AT_ONCE: Final = 500  # held messages that one `release` sends: ten thousand of them would hold the loop


class Pace:
    """What is known of one topic."""

    __slots__ = ("held", "next_s", "value")

    def __init__(self) -> None:
        self.next_s = 0.0
        self.held: Publication | None = None
        self.value: float | None = None


class Pacer:
    """The state of all topics of one subscription."""

    __slots__ = ("_dead_band", "_due", "_most_bytes", "_next", "_owed", "_paces", "_period_s", "_wake", "bytes")

    def __init__(
        self,
        options: Options,
        owed: Owed,
        most_bytes: int,
        out: Callable[[Publication, float], None],
        wake: Callable[[float], None],
    ) -> None:
        """Take the bound, the next stage's `offer`, and what asks for a `release` at a time."""
        self._period_s = options.period_s
        self.bytes = 0  # of names and held messages
        self._most_bytes = most_bytes
        self._dead_band = options.dead_band
        self._owed = owed
        self._next = out
        self._wake = wake
        self._paces: dict[str, Pace] = {}
        self._due: list[tuple[float, str]] = []  # a heap; a topic is in it once at most while it holds a message

    def offer(self, publication: Publication, now: float) -> None:
        """Take a message of any topic."""
        topic = publication.address.text
        pace = self._paces.get(topic)
        if pace is None:
            pace = self._remember(topic, now)
        if pace.held is not None:
            # The newest wins, even when it equals what was sent last: then nothing goes out.
            self._owed.drop(1, "max-rate")
            self._hold(pace, publication)
            self._let_go(pace, now)
            self._make_room(MAX_TOPICS, now)
        elif self._unchanged(pace, publication):
            self._owed.drop(1, "dead-band")
        elif now < pace.next_s:
            self._hold(pace, publication)
            heapq.heappush(self._due, (pace.next_s, topic))
            if self._due[0][1] == topic:
                self._wake(pace.next_s)
            self._make_room(MAX_TOPICS, now)
        else:
            self._send(pace, publication, now)

    def release(self, now: float) -> float | None:
        """Send held messages whose time has come, not too many at once; return when to call again."""
        due = self._due
        for _ in range(MOST_AT_ONCE):
            if not due or due[0][0] > now:
                break
            _, topic = heapq.heappop(due)
            pace = self._paces.get(topic)
            if pace is not None:
                self._let_go(pace, now)
        return due[0][0] if due else None

    def end(self) -> None:
        """Forget what is held."""
        self._paces.clear()
        self._due.clear()
        self.bytes = 0

    def _hold(self, pace: Pace, publication: Publication | None) -> None:
        if pace.held is not None:
            self.bytes -= pace.held.size
        if publication is not None:
            self.bytes += publication.size
        pace.held = publication

    def _let_go(self, pace: Pace, now: float) -> None:
        if pace.held is None or now < pace.next_s:
            return
        if self._unchanged(pace, pace.held):
            self._owed.drop(1, "dead-band")
            self._hold(pace, None)
        else:
            self._send(pace, pace.held, now)

    def _unchanged(self, pace: Pace, publication: Publication) -> bool:
        value = publication.value
        return (
            self._dead_band > 0
            and value is not None
            and pace.value is not None
            and abs(value - pace.value) < self._dead_band
        )

    def _send(self, pace: Pace, publication: Publication, now: float) -> None:
        if pace.held is not None:
            self._hold(pace, None)
        pace.next_s = now + self._period_s
        pace.value = publication.value
        self._next(publication, now)

    def _remember(self, topic: str, now: float) -> Pace:
        self._make_room(MAX_TOPICS - 1, now)
        self.bytes += len(topic) + OVERHEAD
        pace = self._paces[topic] = Pace()
        return pace

    def _make_room(self, topics: int, now: float) -> None:
        while len(self._paces) > topics or (self.bytes > self._most_bytes and len(self._paces) > 1):
            oldest = next(iter(self._paces))
            forgotten = self._paces.pop(oldest)
            self.bytes -= len(oldest) + OVERHEAD
            if (held := forgotten.held) is not None:
                self._hold(forgotten, None)
                self._next(held, now)
