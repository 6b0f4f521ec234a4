"""All work queues by their destination: made when first needed, gone when idle, bounded in number."""

from collections.abc import Sequence

from hub.broker.acks import Delivery
from hub.broker.counters import Counters
from hub.broker.publication import Address, Publication
from hub.broker.queues import DEAD_PREFIX, PREFIX, Queue, QueueLimits
from hub.broker.subscription import Subscription
from hub.stomp.errors import TRY_AGAIN_LATER, SessionError
from hub.stomp.frames import UserHeaders, quoted

TEMP_PREFIX = "/temp-queue/"


class QueueTable(dict[str, Queue]):
    """The queues (`/queue/…` and temporary ones)."""

    def __init__(self, limits: QueueLimits, counters: Counters) -> None:
        super().__init__()
        self._limits = limits
        self._counters = counters

    def enqueue(self, destination: str, body: bytes, headers: UserHeaders) -> None:
        """Put a message into a queue.

        Raises:
            SessionError: the queue is full, or there are too many queues.
        """
        counters = self._counters
        counters.messages_in += 1
        counters.number += 1
        self._open(destination).put(Publication(Address(destination), counters.number, body, headers))

    def join(self, subscription: Subscription) -> None:
        """Let a subscription consume.

        Raises:
            SessionError: there are too many queues.
        """
        self._open(subscription.destination).join(subscription)

    def leave(self, subscription: Subscription) -> None:
        """Let a subscription consume no more."""
        queue, subscription.queue = subscription.queue, None
        if queue is None:
            return
        queue.leave(subscription)
        if queue.destination.startswith(TEMP_PREFIX) and queue.deserted:
            # It lives no longer than who asked for answers: nobody else can consume it.
            self._counters.dropped["reply-gone"] += len(queue)
            del self[queue.destination]
        else:
            self._drop_if_idle(queue)

    def give_back(self, destination: str, deliveries: Sequence[Delivery]) -> None:
        """Take deliveries back to the front of their queue, in their order; over its limits, if need be."""
        if destination.startswith(TEMP_PREFIX) and destination not in self:
            self._counters.dropped["reply-gone"] += len(deliveries)
            return
        queue = self._open(destination, bounded=False)
        queue.give_back(deliveries)
        self._drop_if_idle(queue)

    def _open(self, destination: str, *, bounded: bool = True) -> Queue:
        """Give a queue, made if need be; messages that come back are let in over the limit."""
        queue = self.get(destination)
        if queue is None:
            if bounded and len(self) >= self._limits.queues:
                self._sweep()
            if bounded and len(self) >= self._limits.queues:
                text = f"{quoted(destination)} would be one queue more than the limit of {self._limits.queues}"
                raise SessionError("Too many queues", text, TRY_AGAIN_LATER)
            queue = self[destination] = Queue(destination, self._limits, self._counters, self._to_dead_letters)
        return queue

    def _to_dead_letters(self, destination: str, publication: Publication) -> None:
        self._counters.dropped["dead-letter"] += 1
        name = destination.removeprefix(PREFIX)
        dead = publication._replace(address=Address(f"{DEAD_PREFIX}{name}"), value=None)
        self._open(dead.address.destination, bounded=False).put(dead)

    def _drop_if_idle(self, queue: Queue) -> None:
        if queue.idle:
            self.pop(queue.destination, None)

    def _sweep(self) -> None:
        for queue in list(self.values()):
            self._drop_if_idle(queue)
