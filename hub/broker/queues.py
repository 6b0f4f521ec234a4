"""Work queues: each message goes to one consumer.

Consumers take turns; one without room (no prefetch left, or not reading) is passed over. A message that comes back (NACK,
disconnect, UNSUBSCRIBE) goes to the front with `redelivered:true`; after MAX_ATTEMPTS deliveries it moves to
`/queue/$dead/<name>`. A full queue refuses the publisher (`QueueTable.check_room`); a full dead-letter queue drops its
oldest, counted. A queue without messages and consumers ceases to exist.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from hub.broker.counters import Counters
from hub.broker.publication import OVERHEAD, Arrival, Publication
from hub.broker.subscription import Subscription
from hub.broker.window import Delivery
from hub.topics.destinations import Destination

MAX_ATTEMPTS = 20


class QueueLimits(NamedTuple):
    """Bounds on queues."""

    queues: int = 10_000
    messages: int = 100_000
    bytes: int = 67_108_864


class Queue:
    """One work queue."""

    __slots__ = ("_consumers", "_counters", "_dead", "_limits", "_ready", "bytes", "destination")

    def __init__(
        self,
        destination: Destination,
        limits: QueueLimits,
        counters: Counters,
        dead: Callable[[Destination, Publication], None],
    ) -> None:
        self.destination = destination
        self.bytes = 0
        self._limits = limits
        self._counters = counters
        self._dead = dead
        self._ready: deque[Delivery] = deque()  # `attempt`: how often it was delivered before
        self._consumers: deque[Subscription] = deque()

    def __len__(self) -> int:
        return len(self._ready)

    @property
    def idle(self) -> bool:
        """Whether it may cease to exist."""
        return not self._ready and not self._consumers

    @property
    def deserted(self) -> bool:
        """Whether nobody consumes."""
        return not self._consumers

    def put(self, publication: Publication) -> None:
        """Add a message at the end and deliver what can be delivered."""
        if is_dead_letter(self.destination):
            self._drop_oldest(publication.size)
        self._ready.append(Delivery(publication, 0))
        self._account(publication.size)
        self.dispatch()

    def give_back(self, deliveries: Iterable[Delivery]) -> None:
        """Take deliveries back to the front, in their order. `attempt` counts the deliveries so far."""
        for delivery in reversed(list(deliveries)):
            if delivery.attempt >= MAX_ATTEMPTS and not is_dead_letter(self.destination):
                self._dead(self.destination, delivery.publication)
                continue
            self._ready.appendleft(delivery)
            self._account(delivery.publication.size)
        self.dispatch()

    def join(self, consumer: Subscription) -> None:
        """Add a consumer; it gets its first messages with the next `dispatch`."""
        self._consumers.append(consumer)

    def leave(self, consumer: Subscription) -> None:
        """Remove a consumer; its owner returns its messages."""
        self._consumers.remove(consumer)

    def dispatch(self) -> None:
        """Deliver while there are messages and consumers with room."""
        passed = 0
        while self._ready and passed < len(self._consumers):
            consumer = self._consumers[0]
            self._consumers.rotate(-1)
            if not consumer.ready:
                passed += 1
                continue
            passed = 0
            delivery = self._ready.popleft()
            self._account(-delivery.publication.size)
            if delivery.attempt:
                self._counters.redelivered += 1
            consumer.emit(delivery.publication, delivery.attempt + 1)

    def shed(self) -> None:
        """Give half of a dead-letter queue's memory back: the oldest."""
        self._drop_oldest(self._limits.bytes - self.bytes // 2)

    def end(self) -> int:
        """Forget all messages; return how many there were."""
        count = len(self._ready)
        self._ready.clear()
        self._account(-self.bytes)
        return count

    def _drop_oldest(self, size: int) -> None:
        """Make room for a message of a size."""
        limits = self._limits
        while self._ready and (len(self._ready) >= limits.messages or self.bytes + size > limits.bytes):
            self._account(-self._ready.popleft().publication.size)
            self._counters.dropped["dead-letter-full"] += 1

    def _account(self, size: int) -> None:
        self.bytes += size
        self._counters.queued_bytes += size


def is_dead_letter(destination: Destination) -> bool:
    """Whether a queue is for messages that nobody could handle."""
    return destination.name.startswith("$dead/")


def message_size(arrival: Arrival) -> int:
    """Return the bytes that a message will count for in a queue."""
    return len(arrival.body) + arrival.headers.size + OVERHEAD
