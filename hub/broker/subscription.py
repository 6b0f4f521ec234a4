"""One subscription of one connection: how a message reaches it.

    auto, no options     the broker appends the cohort's frame to the outbox (the fast way; `offer` is not called)
    auto, paced          through the pacer
    client modes         within the ack window; on topics what does not fit waits, bounded, under the on-slow policy
    receipt-after-ack    the same, and receipts wait for its ACKs; what does not fit is refused: their senders are told

Each message that is written for this subscription alone carries `ack`, `redelivered` (queues) and `dropped` as needed.
"""

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from hub.broker.acks import AckWindow, Delivery
from hub.broker.confirmations import BEHIND, LEFT, Confirmation
from hub.broker.counters import Counters
from hub.broker.options import AckMode, OnSlow, Options
from hub.broker.pacing import Pacer
from hub.broker.publication import Cohort, Item, Publication

if TYPE_CHECKING:
    from hub.broker.queues import Queue


class Recipient(Protocol):
    """The connection of a subscription."""

    def push(self, item: Item) -> None:
        """Put a frame into the outbox."""

    def note_ack(self, ack_id: str, subscription: "Subscription") -> None:
        """Remember whom an ack id belongs to."""

    def congested(self) -> bool:
        """Whether the peer is behind in reading."""

    def give_up(self) -> None:
        """Close as a slow consumer."""

    def wake(self, when: float, subscription: "Subscription", topic: str) -> None:
        """Call `subscription.pacer.release(topic, now)` at a time."""


class Subscription:
    """Who wants what, and what is on the way to them."""

    __slots__ = (
        "_counters",
        "_limit",
        "_recipient",
        "_waiting",
        "_waiting_bytes",
        "awaited",
        "cohort",
        "destination",
        "dropped",
        "key",
        "on_slow",
        "options",
        "pacer",
        "queue",
        "window",
    )

    def __init__(
        self,
        destination: str,
        options: Options,
        cohort: Cohort,
        recipient: Recipient,
        counters: Counters,
        waiting_limit: int,
    ) -> None:
        self.key = cohort.key
        self.destination = destination
        self.options = options
        self.cohort = cohort
        self.on_slow = options.on_slow
        self.dropped = 0
        self.queue: Queue | None = None
        self.window: AckWindow | None = None
        self.pacer: Pacer | None = None
        # Of a consumer: what waits for its ACK, by the number of the message. None: receipts do not wait for this one.
        self.awaited: dict[int, Confirmation] | None = {} if options.confirms else None
        if options.ack is not AckMode.AUTO:
            self.window = AckWindow(options.prefetch, cumulative=options.ack is AckMode.CLIENT)
        elif options.paced:
            self.pacer = Pacer(options.period_s, options.dead_band, self.emit, self._skip, self._wake)
        self._recipient = recipient
        self._counters = counters
        self._waiting: deque[Publication] | None = None
        self._waiting_bytes = 0
        self._limit = waiting_limit

    @property
    def plain(self) -> bool:
        """Whether the cohort's frame serves it unchanged."""
        return self.window is None and self.pacer is None

    @property
    def ready(self) -> bool:
        """Whether a work queue may give it the next message."""
        return (self.window is None or self.window.open) and not self._recipient.congested()

    def offer(self, publication: Publication, now: float) -> None:
        """Take a message of a topic that matches."""
        if self.pacer is not None:
            self.pacer.offer(publication, now)
        elif self.window is None or (self.window.open and not self._waiting):
            self.emit(publication)
        else:
            self._wait(publication)

    def emit(self, publication: Publication, attempt: int = 0) -> None:
        """Write a message now. `attempt` counts a work queue's deliveries from 1; 0 on topics."""
        extra: list[tuple[str, str]] = []
        message_id: str | None = None
        if self.window is not None:
            message_id = self._counters.next_ack_id()
            if self.cohort.dialect.ack_header:
                extra.append(("ack", message_id))
            self.window.add(message_id, Delivery(publication, max(attempt, 1)))
            self._recipient.note_ack(message_id, self)
        if attempt:
            extra.append(("redelivered", "true" if attempt > 1 else "false"))
        if extra or self.dropped or message_id is not None:
            told = [*extra, ("dropped", str(self.dropped))] if self.dropped else extra
            item = self.cohort.encode_with(publication, told, message_id)
            item = item._replace(extra=tuple(extra), told=self.dropped)
            self.dropped = 0
        else:
            item = self.cohort.encode(publication)
        self._counters.messages_out += 1
        self._recipient.push(item)

    def resume(self) -> None:
        """Send what waited: acknowledgements made room."""
        if self.queue is not None:
            self.queue.dispatch()
        while self._waiting and self.window is not None and self.window.open:
            publication = self._waiting.popleft()
            self._waiting_bytes -= publication.size
            self.emit(publication)

    def end(self) -> None:
        """Forget what waited: a late ACK of a message already written makes room for nobody."""
        self._waiting = None
        self._waiting_bytes = 0
        if self.awaited:
            awaited, self.awaited = self.awaited, {}
            for confirmation in awaited.values():
                confirmation.refuse(LEFT)

    def settle(self, deliveries: Iterable[Delivery], refusal: str | None) -> None:
        """Tell what waits for these: they were acknowledged, or why not."""
        awaited = self.awaited
        if not awaited:
            return
        for delivery in deliveries:
            confirmation = awaited.pop(delivery.publication.number, None)
            if confirmation is None:
                continue
            if refusal is None:
                confirmation.confirm()
            else:
                confirmation.refuse(refusal)

    def drop(self, count: int, reason: str) -> None:
        """Count messages that this subscription will not get."""
        self.dropped += count
        self._counters.dropped[reason] += count

    def _skip(self, reason: str) -> None:
        self.drop(1, reason)

    def _wake(self, when: float, topic: str) -> None:
        self._recipient.wake(when, self, topic)

    def _wait(self, publication: Publication) -> None:
        """Hold a message until the window opens, within the bound of an outbox."""
        if self._waiting is None:
            self._waiting = deque()
        if self.awaited is not None and self._waiting_bytes + publication.size > self._limit:
            # Policy refuse-newest: cutting a bridge off for a heap of commands would stop its devices' readings, too.
            self._counters.dropped["consumer-behind"] += 1
            self.settle((Delivery(publication, 0),), BEHIND)
            return
        self._waiting.append(publication)
        self._waiting_bytes += publication.size
        if self._waiting_bytes <= self._limit:
            return
        if self.on_slow is OnSlow.DISCONNECT:
            self._recipient.give_up()
            return
        if self.on_slow is OnSlow.CONFLATE:
            newest = {waiting.address.destination: waiting for waiting in self._waiting}
            self.drop(len(self._waiting) - len(newest), "conflated")
            self._waiting = deque(sorted(newest.values(), key=lambda waiting: waiting.number))
            self._waiting_bytes = sum(waiting.size for waiting in self._waiting)
        while self._waiting_bytes > self._limit:
            self._waiting_bytes -= self._waiting.popleft().size
            self.drop(1, "drop-oldest")
