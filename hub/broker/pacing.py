"""Fewer messages for a dashboard: `max-rate` and `dead-band` of one subscription.

Per topic: a message within the period since the last one is held, a newer one replaces it (the newest wins), and the held
one goes out when the period has passed. With a dead band a reading whose value is closer than that to the last one sent
is skipped; anything without a number passes. What is replaced or skipped is counted.

Remembers at most MAX_TOPICS topics; the one known for longest is forgotten first, its held message sent at once.
"""

from collections.abc import Callable

from hub.broker.publication import Publication

MAX_TOPICS = 10_000


class Pace:
    """What is known of one topic."""

    __slots__ = ("held", "next_s", "value")

    def __init__(self) -> None:
        self.next_s = 0.0
        self.held: Publication | None = None
        self.value: float | None = None


class Pacer:
    """The state of all topics of one subscription."""

    __slots__ = ("_dead_band", "_emit", "_paces", "_period_s", "_skip", "_wake")

    def __init__(
        self,
        period_s: float,
        dead_band: float,
        emit: Callable[[Publication], None],
        skip: Callable[[str], None],
        wake: Callable[[float, str], None],
    ) -> None:
        """Take what to do: `emit` a message, count a `skip` by reason, and `wake` us for a topic at a time."""
        self._period_s = period_s
        self._dead_band = dead_band
        self._emit = emit
        self._skip = skip
        self._wake = wake
        self._paces: dict[str, Pace] = {}

    @property
    def holding(self) -> int:
        """How many topics have a message that waits for its time."""
        return sum(pace.held is not None for pace in self._paces.values())

    def offer(self, publication: Publication, now: float) -> None:
        """Take a message of any topic."""
        topic = publication.address.destination
        pace = self._paces.get(topic)
        if pace is None:
            pace = self._remember(topic)
        if pace.held is not None:
            # The newest wins, also where it is back at what was sent: then nothing goes out.
            self._skip("max-rate")
            pace.held = publication
            self._release(pace, now)
        elif self._unchanged(pace, publication):
            self._skip("dead-band")
        elif now < pace.next_s:
            self._wake(pace.next_s, topic)
            pace.held = publication
        else:
            self._send(pace, publication, now)

    def release(self, topic: str, now: float) -> None:
        """Send the held message of a topic: its time has come."""
        pace = self._paces.get(topic)
        if pace is not None:
            self._release(pace, now)

    def _release(self, pace: Pace, now: float) -> None:
        if pace.held is None or now < pace.next_s:
            return
        if self._unchanged(pace, pace.held):
            self._skip("dead-band")
            pace.held = None
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
        pace.held = None
        pace.next_s = now + self._period_s
        pace.value = publication.value
        self._emit(publication)

    def _remember(self, topic: str) -> Pace:
        if len(self._paces) >= MAX_TOPICS:
            forgotten = self._paces.pop(next(iter(self._paces)))
            if forgotten.held is not None:
                self._emit(forgotten.held)
        pace = self._paces[topic] = Pace()
        return pace
