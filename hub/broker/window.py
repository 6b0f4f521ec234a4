"""The acknowledgement window of one subscription (STOMP 1.2, ACK and NACK).

`AckWindow` holds at most `prefetch` deliveries that are not acknowledged yet, and WINDOW_OUTBOXES times the bytes of an
outbox, in the order in which they were sent.
`client` is cumulative within the subscription; `client-individual` is not. Ack ids are unique in the hub, so 1.0 and 1.1
can acknowledge by message-id alone.

`Window` is the stage of a subscription that lets a message pass while there is room. On topics what does not fit waits,
bounded in bytes, under the policy of `on-slow`; a consumer (`receipt-after-ack`) refuses the newest instead.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from hub.broker.confirmations import BEHIND
from hub.broker.options import AckMode, OnSlow, Options
from hub.broker.outbox import Outbox, Owed
from hub.broker.publication import Publication

WINDOW_OUTBOXES: Final = 4  # more than a cumulative ACK should cover, less than a prefetch of large messages


class Delivery(NamedTuple):
    """One message that was delivered to one consumer."""

    publication: Publication
    attempt: int  # 1 for the first delivery


class AckWindow:
    """The unacknowledged deliveries of one subscription."""

    __slots__ = ("_cumulative", "_most_bytes", "_prefetch", "_unacknowledged", "bytes")

    def __init__(self, prefetch: int, most_bytes: int, *, cumulative: bool) -> None:
        self.bytes = 0  # of the deliveries
        self._prefetch = prefetch
        self._most_bytes = most_bytes
        self._cumulative = cumulative
        self._unacknowledged: dict[str, Delivery] = {}

    def __len__(self) -> int:
        return len(self._unacknowledged)

    @property
    def open(self) -> bool:
        """Whether another message may be delivered."""
        return len(self._unacknowledged) < self._prefetch and self.bytes < self._most_bytes

    def add(self, ack_id: str, delivery: Delivery) -> None:
        """Note a delivery."""
        self._unacknowledged[ack_id] = delivery
        self.bytes += delivery.publication.size

    def take(self, ack_id: str) -> dict[str, Delivery]:
        """Settle what an ACK or NACK of this id covers, oldest first; empty if the id is not outstanding."""
        if ack_id not in self._unacknowledged:
            return {}
        taken: dict[str, Delivery] = {}
        for key in list(self._unacknowledged) if self._cumulative else (ack_id,):
            taken[key] = delivery = self._unacknowledged.pop(key)
            self.bytes -= delivery.publication.size
            if key == ack_id:
                break
        return taken

    def take_one(self, ack_id: str) -> Delivery | None:
        """Take a single delivery back, whatever the mode."""
        delivery = self._unacknowledged.pop(ack_id, None)
        if delivery is not None:
            self.bytes -= delivery.publication.size
        return delivery

    def take_all(self) -> dict[str, Delivery]:
        """Take everything back: the consumer is gone."""
        taken, self._unacknowledged = self._unacknowledged, {}
        self.bytes = 0
        return taken


class Window:
    """The stage that keeps to the window."""

    __slots__ = ("_bytes", "_next", "_outbox", "_owed", "_waiting", "acks")

    def __init__(self, options: Options, owed: Owed, outbox: Outbox, out: Callable[[Publication, float], None]) -> None:
        """Take the outbox, whose bound holds here too, and the next stage's `offer`."""
        self.acks = AckWindow(
            options.prefetch, WINDOW_OUTBOXES * outbox.limit, cumulative=options.ack is AckMode.CLIENT
        )
        self._owed = owed
        self._outbox = outbox
        self._next = out
        self._waiting: deque[Publication] | None = None
        self._bytes = 0

    @property
    def waiting_bytes(self) -> int:
        """Return what waits until it opens."""
        return self._bytes

    def shed(self) -> None:
        """Give half of what waits back, where it may be dropped."""
        if self._owed.on_slow is not OnSlow.DISCONNECT and self._owed.awaited is None:
            self._drop_oldest(self._bytes // 2)

    def offer(self, publication: Publication, now: float) -> None:
        """Pass a message on, or hold it until the window opens."""
        if self.acks.open and not self._waiting:
            self._next(publication, now)
        else:
            self._hold(publication)

    def release(self, now: float) -> float | None:
        """Pass on what waited: acknowledgements made room."""
        while self._waiting and self.acks.open:
            publication = self._waiting.popleft()
            self._bytes -= publication.size
            self._next(publication, now)
        return None

    def end(self) -> None:
        """Forget what waited: a late ACK of a message already written makes room for nobody."""
        self._waiting = None
        self._bytes = 0

    def _hold(self, publication: Publication) -> None:
        waiting = self._waiting = self._waiting if self._waiting is not None else deque()
        awaited = self._owed.awaited
        if awaited is not None and waiting and self._bytes + publication.size > self._outbox.limit:
            # Policy refuse-newest: cutting a bridge off for a heap of commands would stop its devices' readings, too.
            self._owed.counters.dropped["consumer-behind"] += 1
            if (confirmation := awaited.pop(publication.number, None)) is not None:
                confirmation.refuse(BEHIND)
            return
        waiting.append(publication)
        self._bytes += publication.size
        if self._bytes <= self._outbox.limit or len(waiting) == 1:
            return
        on_slow = self._owed.on_slow
        if on_slow is OnSlow.DISCONNECT:
            self._outbox.give_up()
            return
        if on_slow is OnSlow.CONFLATE:
            newest = {one.address.text: one for one in waiting}
            self._owed.drop(len(waiting) - len(newest), "conflated")
            waiting = self._waiting = deque(sorted(newest.values(), key=lambda one: one.number))
            self._bytes = sum(one.size for one in waiting)
        self._drop_oldest(self._outbox.limit)

    def _drop_oldest(self, most_bytes: int) -> None:
        waiting = self._waiting
        while waiting and self._bytes > most_bytes and len(waiting) > 1:
            self._bytes -= waiting.popleft().size
            self._owed.drop(1, "drop-oldest")
