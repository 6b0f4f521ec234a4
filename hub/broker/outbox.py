"""What waits to be written to one connection, bounded in octets.

Frames gather in `pending` during a tick of the loop; `flush` hands them to the sink in one write. While the sink is busy
(the peer does not read) they move to the backlog, which knows each frame's subscription and is bounded: over the bound,
subscriptions with `conflate` keep the newest message of each topic, then the oldest messages of `conflate` and
`drop-oldest` go, and if what must not be dropped alone is too much, the connection is given up as a slow consumer.
Messages that were skipped are told by `dropped:N` on the next MESSAGE of their subscription.

The bound is checked per tick, and while the sink is busy once in LAZY_ITEMS frames, so a backlog may pass it by that much:
a thousand stalled peers must not cost the healthy ones their time. Frames are shared between connections, so what an
outbox really costs is often far less than what it counts.
"""

from collections import deque
from collections.abc import Mapping
from typing import Protocol

from hub.broker.options import OnSlow
from hub.broker.publication import Cohort, Item

CHUNK_BYTES = 1_048_576  # handed to the sink at once at most, so that a busy sink holds little that cannot be dropped
LAZY_ITEMS = 32
LAZY_BYTES = 4_096  # larger frames are accounted for at once
_KNUTH, _STAGGER = 2_654_435_761, 1 << 32  # multiplicative hashing: neighbours in memory get values far apart


class Sink(Protocol):
    """The writing side of a transport. After a write that left it busy it calls `Outbox.flush` when it is not."""

    @property
    def busy(self) -> bool:
        """Whether the last write was not taken whole."""

    def write(self, data: bytes) -> None:
        """Write to the socket what it takes now, keep the rest (and be busy)."""

    def overflow(self) -> None:
        """Give the connection up: its peer is too slow."""


class Droppable(Protocol):
    """What the outbox needs to know of a subscription."""

    on_slow: OnSlow
    dropped: int  # messages skipped since the last one written

    def drop(self, count: int, reason: str) -> None:
        """Count messages that will not be written."""


class Joined:
    """The last frames that were joined in a flush: the next connection often has the very same."""

    __slots__ = ("data", "items")

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.data = b""


class Outbox:
    """The frames for one connection."""

    __slots__ = (
        "_backlog",
        "_conflate_at",
        "_lazy_items",
        "_limit",
        "_sink",
        "_subscriptions",
        "backlog_bytes",
        "blocked",
        "owing",
        "pending",
        "shedding",
    )

    def __init__(self, sink: Sink, limit: int, subscriptions: Mapping[str, Droppable]) -> None:
        self.pending: list[Item] = []
        self.backlog_bytes = 0
        self.blocked = False  # the sink was busy after the last flush; it will ask for the next one
        self.shedding = False  # messages were dropped since the backlog was last empty
        self.owing = False  # some subscription has a `dropped` count to tell
        self._backlog: deque[Item] | None = None  # made when first needed: idle connections stay small
        self._sink = sink
        # Peers that stalled together would reach their bounds in the same tick, and be shed in the same tick: each
        # has a bound up to 6 % lower than the next.
        stagger = (id(self) >> 4) * _KNUTH % _STAGGER
        self._limit = limit - stagger * limit // (16 * _STAGGER)
        self._lazy_items = LAZY_ITEMS + LAZY_ITEMS * stagger // _STAGGER
        self._conflate_at = limit // 4
        self._subscriptions = subscriptions

    @property
    def congested(self) -> bool:
        """Whether the peer is behind."""
        return self._sink.busy or bool(self._backlog)

    @property
    def lazy(self) -> bool:
        """Whether a flush now would only move a few frames aside."""
        pending = self.pending
        return self.blocked and len(pending) < self._lazy_items and len(pending[-1][0]) < LAZY_BYTES

    def flush(self, joined: Joined) -> None:
        """Write what the sink takes; keep the rest within the bound."""
        pending = self.pending
        sink = self._sink
        if not sink.busy and not self._backlog and not self.owing:
            if len(pending) == 1:
                data = pending[0][0]
            elif pending == joined.items:
                data = joined.data
            else:
                data = joined.data = b"".join([item[0] for item in pending])
                joined.items = pending.copy()
            if len(data) <= CHUNK_BYTES:
                pending.clear()
                if data:
                    sink.write(data)
                # Also where nothing waited: the sink that was busy has asked, and does not ask again.
                self.blocked = sink.busy
                return
        if self._backlog is None:
            self._backlog = deque()
        self._backlog.extend(pending)
        self.backlog_bytes += sum([len(item[0]) for item in pending])
        pending.clear()
        self._drain()
        self.blocked = self._sink.busy
        if self.backlog_bytes > self._conflate_at:
            self._shed()

    def discard(self, key: str) -> list[Item]:
        """Take back all messages of one subscription that were not written (UNSUBSCRIBE)."""
        taken: list[Item] = []
        if self._backlog:
            taken = [item for item in self._backlog if _belongs(item, key)]
            if taken:
                self._replace([item for item in self._backlog if not _belongs(item, key)])
        return taken

    def take_messages(self) -> list[Item]:
        """Take back all messages that were not written: nobody subscribes any more."""
        waiting = (*(self._backlog or ()), *self.pending)
        taken = [item for item in waiting if item.cohort is not None]
        if taken:
            self._replace([item for item in self._backlog or () if item.cohort is None])
            # In place: fan-outs hold the list.
            self.pending[:] = [item for item in self.pending if item.cohort is None]
        return taken

    def _drain(self) -> None:
        backlog = self._backlog
        sink = self._sink
        if backlog is None:
            return
        while backlog and not sink.busy:
            parts: list[bytes] = []
            size = 0
            while backlog and size < CHUNK_BYTES:
                item = backlog.popleft()
                self.backlog_bytes -= len(item[0])
                wire = self._told(item) if self.owing and item.cohort is not None else item[0]
                size += len(wire)
                parts.append(wire)
            sink.write(b"".join(parts))
        if not backlog:
            self.shedding = False
            self._conflate_at = self._limit // 4
            self.owing = any(subscription.dropped for subscription in self._subscriptions.values())

    def _told(self, item: Item) -> bytes:
        """Encode again with `dropped`, if its subscription has skipped messages."""
        cohort, publication = item.cohort, item.publication
        if cohort is None or publication is None:
            return item.wire
        subscription = self._subscriptions.get(cohort.key)
        if subscription is None or not subscription.dropped:
            return item.wire
        extra = [*item.extra, ("dropped", str(item.told + subscription.dropped))]
        subscription.dropped = 0
        return cohort.encode_with(publication, extra, item.message_id).wire

    def _shed(self) -> None:
        """Bring the backlog back within its bound."""
        if any(subscription.on_slow is OnSlow.CONFLATE for subscription in self._subscriptions.values()):
            self._conflate()
        if self.backlog_bytes > self._limit:
            self._drop_oldest()
        if self.backlog_bytes > self._limit:
            self._sink.overflow()
        # Passes double their distance, so that a large conflated set does not cost a pass per message.
        self._conflate_at = max(self._limit // 4, min(2 * self.backlog_bytes, self._limit))

    def _conflate(self) -> None:
        kept: list[Item] = []
        seen: set[tuple[str, str]] = set()
        skipped: dict[Droppable, int] = {}
        for item in reversed(self._backlog or ()):
            subscription = self._subscription(item)
            conflated = subscription is not None and subscription.on_slow is OnSlow.CONFLATE
            if subscription and conflated and item.publication is not None and item.cohort is not None:
                key = (item.cohort.key, item.publication.address.destination)
                if key in seen:
                    skipped[subscription] = skipped.get(subscription, 0) + 1
                    subscription.dropped += item.told
                    continue
                seen.add(key)
            kept.append(item)
        if skipped:
            kept.reverse()
            self._replace(kept)
            self._count(skipped, "conflated")

    def _drop_oldest(self) -> None:
        # A little below the bound: the next message does not need the next pass, and a pass takes no time to notice.
        goal = self._limit - self._limit // 32
        backlog = self._backlog or deque()
        kept: list[Item] = []
        skipped: dict[Droppable, int] = {}
        size = self.backlog_bytes
        cohort: Cohort | None = None
        subscription: Droppable | None = None
        while backlog and size > goal:
            item = backlog.popleft()
            if item[1] is not cohort:  # most often all are of one
                cohort = item[1]
                subscription = self._subscription(item)
            if subscription is None or subscription.on_slow is OnSlow.DISCONNECT:
                kept.append(item)
                continue
            size -= len(item[0])
            skipped[subscription] = skipped.get(subscription, 0) + 1
            if item[5]:
                subscription.dropped += item.told
        self.backlog_bytes = size
        backlog.extendleft(reversed(kept))
        self._count(skipped, "drop-oldest")

    def _subscription(self, item: Item) -> Droppable | None:
        """Give the subscription of a MESSAGE that is still there."""
        return None if item.cohort is None else self._subscriptions.get(item.cohort.key)

    def _count(self, skipped: dict[Droppable, int], reason: str) -> None:
        for subscription, count in skipped.items():
            subscription.drop(count, reason)
            self.owing = self.shedding = True

    def _replace(self, items: list[Item]) -> None:
        self._backlog = deque(items)
        self.backlog_bytes = sum([len(item.wire) for item in items])


def _belongs(item: Item, key: str) -> bool:
    return item.cohort is not None and item.cohort.key == key
