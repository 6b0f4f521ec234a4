"""One subscription of one connection: the row of stages that a message passes on its way to the outbox.

    options          stages
    none             none: its channel appends the cohort's bytes to the outbox
    paced            pace → outlet
    client modes     window → outlet
    replay           catch-up → the above, until the past is sent

The row is chosen once, at SUBSCRIBE. Each stage has the same three calls: `offer` takes a message, `release` sends on
what may go now (time has passed, an ACK made room, the peer reads again) and returns when to call it again, `end` forgets
what it holds. The outlet is `emit`: it writes to the outbox, with `ack`, `redelivered` and `dropped` as needed.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from hub.broker.catch_up import CatchUp
from hub.broker.confirmations import LEFT
from hub.broker.counters import Counters
from hub.broker.options import AckMode, Options
from hub.broker.outbox import Outbox, Owed
from hub.broker.pacing import Pacer
from hub.broker.publication import Cohort, Publication
from hub.broker.window import WINDOW_OUTBOXES, Delivery, Window
from hub.topics.destinations import Destination


class Stage(Protocol):
    """One stage of a message's way to a subscriber."""

    def offer(self, publication: Publication, now: float) -> None:
        """Take a message."""

    def release(self, now: float) -> float | None:
        """Send on what may go now; return when to call again, None if something else has to happen first."""

    def end(self) -> None:
        """Forget what is held."""


class Subscription(Owed):
    """Who wants what, and what is on the way to them."""

    __slots__ = (
        "_acks",
        "_catching_up",
        "_outbox",
        "_pacer",
        "_wake",
        "destination",
        "key",
        "offer",
        "options",
        "wakes_at",
        "window",
    )

    def __init__(
        self,
        destination: Destination,
        options: Options,
        cohort: Cohort,
        outbox: Outbox,
        acks: "dict[str, Subscription]",
        counters: Counters,
        wake: "Callable[[float, Subscription], None]",
    ) -> None:
        """Take the connection's outbox and its table of ack ids, and what asks for a `release` at a time."""
        super().__init__(cohort, options.on_slow, counters)
        self.key = cohort.key
        self.destination = destination
        self.options = options
        self.window: Window | None = None
        self.wakes_at: float | None = None  # when the broker will call `release`
        self._acks = acks
        self._outbox = outbox
        self._wake = wake
        self._catching_up: CatchUp | None = None
        self._pacer: Pacer | None = None
        self.offer: Callable[[Publication, float], None] = self._outlet
        if options.ack is not AckMode.AUTO:
            self.window = Window(options, self, outbox, self._outlet)
            self.offer = self.window.offer
            self.awaited = {} if options.confirms else None
        elif options.paced:
            self._pacer = Pacer(options, self, WINDOW_OUTBOXES * outbox.limit, self._outlet, self._wake_me)
            self.offer = self._pacer.offer

    @property
    def stages(self) -> list[Stage]:
        """Return the stages before the outlet, in the order in which a message passes them."""
        return [stage for stage in (self._catching_up, self._pacer, self.window) if stage is not None]

    @property
    def held_bytes(self) -> int:
        """Return what its stages hold back."""
        pacer, window = self._pacer, self.window
        return (0 if pacer is None else pacer.bytes) + (0 if window is None else window.waiting_bytes)

    @property
    def plain(self) -> bool:
        """Whether its channel may write the cohort's bytes past it."""
        return self.options.plain and self._catching_up is None

    @property
    def ready(self) -> bool:
        """Whether a work queue may give it the next message."""
        return (self.window is None or self.window.acks.open) and not self._outbox.behind()

    def catch_up(self, source: Iterator[Publication]) -> None:
        """Begin with what a source holds. Call before it joins its channel, then `release`."""
        self._catching_up = CatchUp(source, self.offer, self._full)
        self.offer = self._catching_up.offer

    def caught_up(self) -> bool:
        """Whether the source has just been used up: the stage is taken out of the row."""
        if self._catching_up is None or not self._catching_up.done:
            return False
        self._catching_up = None
        stage = self._pacer or self.window
        self.offer = self._outlet if stage is None else stage.offer
        return True

    def release(self, now: float) -> float | None:
        """Send on what may go now; return when to call again."""
        # What waits in a later stage goes before what an earlier one adds.
        times = [when for stage in reversed(self.stages) if (when := stage.release(now)) is not None]
        return min(times, default=None)

    def emit(self, publication: Publication, attempt: int = 0) -> None:
        """Write a message now. `attempt` counts a work queue's deliveries from 1; 0 on topics."""
        extra: list[tuple[str, str]] = []
        message_id: str | None = None
        if self.window is not None:
            message_id = self.counters.next_ack_id()
            extra.append(("ack", message_id))
            self.window.acks.add(message_id, Delivery(publication, max(attempt, 1)))
            self._acks[message_id] = self
        if attempt:
            extra.append(("redelivered", "true" if attempt > 1 else "false"))
        if extra or self.dropped:
            item = self.cohort.item_with(publication, extra, message_id, self.dropped)
            self.dropped = 0
        else:
            item = self.cohort.item(publication)
        self.counters.messages_out += 1
        self._outbox.push(item)

    def end(self) -> None:
        """Forget what is held; receipts that wait for this one's ACKs are refused."""
        for stage in self.stages:
            stage.end()
        if self.awaited:
            awaited = dict(self.awaited)
            self.awaited.clear()
            for confirmation in awaited.values():
                confirmation.refuse(LEFT)

    def settle(self, deliveries: Iterable[Delivery], refusal: str | None) -> None:
        """Settle what waits for these: they were acknowledged, or why not."""
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

    def _outlet(self, publication: Publication, now: float) -> None:  # noqa: ARG002 - the signature of `offer`
        self.emit(publication)

    def _full(self) -> bool:
        """Whether the past has to wait: for the peer to read, or for its ACKs."""
        return not self.ready

    def _wake_me(self, when: float) -> None:
        self._wake(when, self)
