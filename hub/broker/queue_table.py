"""All work queues by their destination: made when first needed, gone when idle, bounded in number."""

from collections import Counter
from collections.abc import Sequence

from hub.broker.budget import Budget
from hub.broker.counters import Counters
from hub.broker.publication import Address, Arrival, Publication
from hub.broker.queues import Queue, QueueLimits, is_dead_letter, message_size
from hub.broker.subscription import Subscription
from hub.broker.window import Delivery
from hub.refusal import Reason, Refusal, quoted
from hub.topics.destinations import Destination, Kind, queue


class QueueTable(dict[Destination, Queue]):
    """The queues (`/queue/…` and temporary ones)."""

    def __init__(self, limits: QueueLimits, counters: Counters, budget: Budget) -> None:
        super().__init__()
        self._budget = budget
        self._limits = limits
        self._counters = counters

    def check_room(self, arrivals: Sequence[Arrival]) -> None:
        """Check that all of these messages have room, before any of them is put.

        Raises:
            Refusal: a queue is full, all queues together are, or there are too many.
        """
        counts: Counter[Destination] = Counter()
        sizes: Counter[Destination] = Counter()
        for arrival in arrivals:
            destination = arrival.address.destination
            if destination.kind is Kind.TEMP_QUEUE and destination not in self:
                continue
            counts[destination] += 1
            sizes[destination] += message_size(arrival)
        missing = [destination for destination in counts if destination not in self]
        if len(self) + len(missing) > self._limits.queues:
            self._sweep()
        if len(self) + len(missing) > self._limits.queues:
            raise self._too_many(missing[0])
        if not all(is_dead_letter(destination) for destination in counts):
            self._budget.admit_work(self._counters.queued_bytes, sizes.total(), next(iter(counts)).text)
        for destination, count in counts.items():
            known = self.get(destination)
            held, held_bytes = (0, 0) if known is None else (len(known), known.bytes)
            limits = self._limits
            over = held + count > limits.messages or held_bytes + sizes[destination] > limits.bytes
            # One message that waits alone is never too much.
            if over and (held or count > 1) and not is_dead_letter(destination):
                text = f"{quoted(destination.text)} holds {held} messages; consume them or try again later"
                raise Refusal(Reason.QUEUE_FULL, text, about=destination.text)

    def put(self, publication: Publication) -> None:
        """Put a message into its queue; see `check_room` for what refuses it. For an answer, nobody may be waiting."""
        destination = publication.address.destination
        if destination.kind is Kind.TEMP_QUEUE and destination not in self:
            # The requester has gone: nobody is at fault.
            self._counters.dropped["reply-gone"] += 1
            return
        self._open(destination, bounded=False).put(publication)

    def join(self, subscription: Subscription) -> None:
        """Let a subscription consume.

        Raises:
            Refusal: there are too many queues.
        """
        self._open(subscription.destination).join(subscription)

    def leave(self, subscription: Subscription) -> None:
        """Stop a subscription from consuming."""
        destination = subscription.destination
        left = self.get(destination)
        if left is None:
            return
        left.leave(subscription)
        if destination.kind is Kind.TEMP_QUEUE and left.deserted:
            # It lives no longer than who asked for answers: nobody else can consume it.
            self._counters.dropped["reply-gone"] += left.end()
            del self[destination]
        else:
            self._drop_if_idle(left)

    def dispatch(self, destination: Destination) -> None:
        """Deliver what a queue holds, if there is one."""
        known = self.get(destination)
        if known is not None:
            known.dispatch()

    def give_back(self, destination: Destination, deliveries: Sequence[Delivery]) -> None:
        """Take deliveries back to the front of their queue, in their order; even over its limits."""
        if destination.kind is Kind.TEMP_QUEUE and destination not in self:
            self._counters.dropped["reply-gone"] += len(deliveries)
            return
        opened = self._open(destination, bounded=False)
        opened.give_back(deliveries)
        self._drop_if_idle(opened)

    def _open(self, destination: Destination, *, bounded: bool = True) -> Queue:
        """Return a queue, creating it if needed; messages that come back are accepted over the limit."""
        known = self.get(destination)
        if known is None:
            if bounded and len(self) >= self._limits.queues:
                self._sweep()
            if bounded and len(self) >= self._limits.queues:
                raise self._too_many(destination)
            known = self[destination] = Queue(destination, self._limits, self._counters, self._to_dead_letters)
        return known

    def _too_many(self, destination: Destination) -> Refusal:
        text = f"{quoted(destination.text)} would be one queue more than the limit of {self._limits.queues}"
        return Refusal(Reason.TOO_MANY_QUEUES, text, about=destination.text)

    def _to_dead_letters(self, destination: Destination, publication: Publication) -> None:
        self._counters.dropped["dead-letter"] += 1
        dead = queue(f"$dead/{destination.name}")
        self._open(dead, bounded=False).put(publication._replace(address=Address(dead), value=None))

    def _drop_if_idle(self, known: Queue) -> None:
        if known.idle:
            self.pop(known.destination, None)

    def _sweep(self) -> None:
        for known in list(self.values()):
            self._drop_if_idle(known)
