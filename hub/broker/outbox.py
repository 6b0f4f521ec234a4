"""What waits to be written to one connection, bounded in bytes.

Items gather in `pending` during a tick of the loop; `flush` hands them to the sink in one write. When the sink is busy (the
peer does not read) the connection's plain subscriptions leave the fan-out, and what they are owed stays in the logs of
their channels (`backlog`). What is written for this connection alone, answers and messages with headers of their own, is
kept here: over the bound, subscriptions with `conflate` keep the newest message of each topic, then the oldest messages of
`conflate` and `drop-oldest` go, and if what must not be dropped alone is too much, the connection is given up as a slow
consumer. Skipped messages are reported by `dropped:N` on the next message of their subscription.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

from hub.broker.backlog import Cursor
from hub.broker.confirmations import Confirmation
from hub.broker.counters import Counters
from hub.broker.options import OnSlow
from hub.broker.publication import OVERHEAD, Cohort, Item

CHUNK_BYTES = 1_048_576  # handed to the sink at once at most, so that a busy sink holds little that cannot be dropped
EARLY_ITEMS = 32  # while a queue or a source delivers, the outbox is flushed after so many items, or a large one
EARLY_BYTES = 65_536
LAZY_ITEMS = 32
LAZY_BYTES = 4_096  # larger items are accounted for at once


class Sink(Protocol):
    """The writing side of a transport. After a write that left it busy it calls `Outbox.flush` when it is not."""

    @property
    def busy(self) -> bool:
        """Whether the last write was not taken whole."""

    def write(self, data: bytes) -> None:
        """Write to the socket what it takes now, keep the rest (and be busy)."""

    def overflow(self) -> None:
        """Return the connection up: its peer is too slow."""


class Owed:
    """What a connection owes to one of its subscriptions."""

    __slots__ = ("awaited", "cohort", "counters", "cursor", "dropped", "on_slow")

    def __init__(self, cohort: Cohort, on_slow: OnSlow, counters: Counters) -> None:
        # Of a consumer: what waits for its ACK, by the number of the message. None: receipts do not wait for this one.
        self.awaited: dict[int, Confirmation] | None = None
        self.cohort = cohort
        self.on_slow = on_slow
        self.counters = counters
        self.dropped = 0  # messages skipped since the last one written
        self.cursor: Cursor | None = None  # of a plain subscription that has left the fan-out

    def drop(self, count: int, reason: str) -> None:
        """Count messages that this subscription will not get."""
        if count:
            self.dropped += count
            self.counters.dropped[reason] += count


class Joined:
    """The last items that were joined in a flush: the next connection often has the very same."""

    __slots__ = ("data", "items")

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.data = b""


class Outbox:
    """The items for one connection."""

    __slots__ = (
        "_backlog",
        "_conflate_at",
        "_mark",
        "_move",
        "_owed",
        "_sink",
        "backlog_bytes",
        "blocked",
        "limit",
        "owing",
        "parked",
        "pending",
        "shedding",
    )

    def __init__(
        self,
        sink: Sink,
        limit: int,
        owed: Mapping[str, Owed],
        mark: "Callable[[Outbox], None]",
        park: Callable[[bool], None],
    ) -> None:
        """Make an empty one.

        Args:
            sink: where it writes to.
            limit: the bound, bytes.
            owed: what is owed, by the key of the subscription.
            mark: asks for a flush soon.
            park: takes the plain subscriptions out of the fan-out (True), or lets them take part again.
        """
        self.pending: list[Item] = []
        self.limit = limit
        self.backlog_bytes = 0  # of what is kept here; see `waiting_bytes`
        self.blocked = False  # the sink was busy after the last flush; it will ask for the next one
        self.parked = False  # the plain subscriptions have left the fan-out
        self.shedding = False  # messages were dropped since nothing waited
        self.owing = False  # some subscription has a `dropped` count to tell
        self._backlog: deque[Item] | None = None  # made when first needed: idle connections stay small
        self._sink = sink
        self._conflate_at = limit // 4
        self._owed = owed
        self._mark = mark
        self._move = park

    @property
    def congested(self) -> bool:
        """Whether the peer is behind."""
        return self._sink.busy or self.parked or bool(self._backlog)

    @property
    def lazy(self) -> bool:
        """Whether a flush now would only move a few items aside."""
        pending = self.pending
        return self.blocked and len(pending) < LAZY_ITEMS and len(pending[-1][0]) < LAZY_BYTES

    @property
    def alone(self) -> bool:
        """Whether the connection has one subscription: what lies in that one's log is all that it is owed."""
        return len(self._owed) <= 1

    @property
    def waiting_bytes(self) -> int:
        """Return all that waits for the peer, what lies in the logs of channels included."""
        return self.backlog_bytes + sum([owed.cursor.size for owed in self._owed.values() if owed.cursor])

    def push(self, item: Item) -> None:
        """Add an item for this connection alone."""
        pending = self.pending
        pending.append(item)
        # Items that a flush left aside lose their mark, and get it back when a flush would take them.
        if len(pending) == 1 or (self.blocked and not self.lazy):
            self._mark(self)

    def behind(self) -> bool:
        """Whether the peer is behind in reading, once what has gathered is tried."""
        pending = self.pending
        if len(pending) >= EARLY_ITEMS or (pending and len(pending[-1].wire) >= EARLY_BYTES):
            # A sender of many messages to one connection asks before each: only then is it known what the peer takes.
            self.flush(Joined())
        return self.congested

    def give_up(self) -> None:
        """Close as a slow consumer."""
        self._sink.overflow()

    def flush(self, joined: Joined) -> None:
        """Write what the sink takes; keep the rest within the bound."""
        pending = self.pending
        sink = self._sink
        if not sink.busy and not self._backlog and not self.owing and not self.parked:
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
                self.blocked = self._sink.busy
                if self.blocked:
                    self._park()
                return
        if self._backlog is None:
            self._backlog = deque()
        self._backlog.extend(pending)
        self.backlog_bytes += sum([len(item[0]) for item in pending])
        pending.clear()
        self._drain()
        self.blocked = sink.busy
        if self.blocked and not self.parked:
            self._park()
        if self.backlog_bytes > self._conflate_at:
            self._shed()

    def overdraw(self, owed: Owed) -> None:
        """Bring what a subscription is owed in a log back within the bound, or close the connection."""
        cursor = owed.cursor
        if cursor is None:
            return
        size = cursor.size
        over = (self.backlog_bytes + size if self.alone else self.waiting_bytes) - self.limit
        if over > 0:
            # Well below the bound: a thousand members must not be looked at for each few messages.
            self.skip(owed, max(0, size - over - self.limit // 8))

    def skip(self, owed: Owed, keep: int) -> None:
        """Let a subscription lose all but so many bytes of what it is owed in a log, or give the connection up."""
        cursor = owed.cursor
        # One message that waits alone is never too much.
        if cursor is None or cursor.position >= cursor.log.end - 1:
            return
        if owed.on_slow is OnSlow.DISCONNECT:
            self._sink.overflow()
            return
        skipped = cursor.skip(keep)
        reason = "drop-oldest" if owed.on_slow is OnSlow.DROP_OLDEST else "conflated"
        owed.counters.dropped[reason] += skipped
        cursor.skipped += skipped
        self.shedding = True

    @property
    def kept_bytes(self) -> int:
        """Return the memory that is taken here: each message is there encoded and as it came."""
        return 0 if not self._backlog else 2 * self.backlog_bytes + OVERHEAD * len(self._backlog)

    def shed(self) -> None:
        """Give half of what is kept here back, where it may be dropped."""
        if self._backlog:
            self._drop_oldest(self.backlog_bytes // 2)

    def discard(self, key: str) -> list[Item]:
        """Take back all messages of one subscription that were not written (UNSUBSCRIBE)."""
        taken: list[Item] = []
        if self._backlog:
            taken = [item for item in self._backlog if _belongs(item, key)]
            if taken:
                self._replace([item for item in self._backlog if not _belongs(item, key)])
        return taken

    def take_messages(self) -> list[Item]:
        """Take back all messages that were not written: nobody subscribes now."""
        waiting = (*(self._backlog or ()), *self.pending)
        taken = [item for item in waiting if item.cohort is not None]
        if taken:
            self._replace([item for item in self._backlog or () if item.cohort is None])
            # In place: fan-outs hold the list.
            self.pending[:] = [item for item in self.pending if item.cohort is None]
        return taken

    def _park(self) -> None:
        self.parked = True
        self._move(True)

    def _drain(self) -> None:
        backlog = self._backlog
        sink = self._sink
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
            self._conflate_at = self.limit // 4
            if self.parked and not sink.busy:
                self._drain_logs()
            if not self.parked:
                self.shedding = False
            self.owing = any(owed.dropped for owed in self._owed.values())

    def _drain_logs(self) -> None:
        """Write what the logs hold for this connection; come back to the fan-out when that was all."""
        sink = self._sink
        for owed in tuple(self._owed.values()):
            cursor = owed.cursor
            while cursor is not None and cursor.waiting:
                if sink.busy:
                    return
                items, data, skipped = cursor.take(CHUNK_BYTES)
                owed.counters.messages_out += len(items)
                owed.drop(skipped, "conflated")
                owed.dropped += cursor.skipped
                cursor.skipped = 0
                if owed.dropped and items and (first := items[0]).publication is not None:
                    # The first one tells what was skipped before it.
                    told = owed.cohort.item_with(first.publication, (), None, owed.dropped)
                    data = told.wire + data[len(first.wire) :]
                    owed.dropped = 0
                sink.write(data)
        if not sink.busy:
            self.parked = False
            self._move(False)

    def _told(self, item: Item) -> bytes:
        """Encode again with `dropped`, if its subscription has skipped messages."""
        cohort, publication = item.cohort, item.publication
        if cohort is None or publication is None:
            return item.wire
        owed = self._owed.get(cohort.key)
        if owed is None or not owed.dropped:
            return item.wire
        told = item.told + owed.dropped
        owed.dropped = 0
        return cohort.item_with(publication, item.extra, item.message_id, told).wire

    def _shed(self) -> None:
        """Bring what is kept here back within the bound."""
        if any(owed.on_slow is OnSlow.CONFLATE for owed in self._owed.values()):
            self._conflate()
        if self.backlog_bytes > self.limit:
            # A little below the bound: the next message does not need the next pass, and a pass takes no time to notice.
            self._drop_oldest(self.limit - self.limit // 32)
        if self.backlog_bytes > self.limit:
            messages = [len(item.wire) for item in self._backlog or () if item.cohort is not None]
            # One message that waits alone is never too much, nor is it because answers wait beside it.
            if len(messages) > 1 or self.backlog_bytes - sum(messages) > self.limit:
                self._sink.overflow()
        # Passes double their distance, so that a large conflated set does not cost a pass per message.
        self._conflate_at = max(self.limit // 4, min(2 * self.backlog_bytes, self.limit))

    def _conflate(self) -> None:
        kept: list[Item] = []
        seen: set[tuple[str, str]] = set()
        skipped: dict[Owed, int] = {}
        for item in reversed(self._backlog or ()):
            owed = self._owed_for(item)
            if owed and owed.on_slow is OnSlow.CONFLATE and item.publication is not None and item.cohort is not None:
                key = (item.cohort.key, item.publication.address.text)
                if key in seen:
                    skipped[owed] = skipped.get(owed, 0) + 1
                    owed.dropped += item.told
                    continue
                seen.add(key)
            kept.append(item)
        if skipped:
            kept.reverse()
            self._replace(kept)
            self._count(skipped, "conflated")

    def _drop_oldest(self, goal: int) -> None:
        backlog = self._backlog or deque()
        kept: list[Item] = []
        skipped: dict[Owed, int] = {}
        size = self.backlog_bytes
        messages = sum([item.cohort is not None for item in backlog])
        while messages > 1 and size > goal:
            item = backlog.popleft()
            messages -= item.cohort is not None
            owed = self._owed_for(item)
            if owed is None or owed.on_slow is OnSlow.DISCONNECT:
                kept.append(item)
                continue
            size -= len(item.wire)
            skipped[owed] = skipped.get(owed, 0) + 1
            owed.dropped += item.told
        self.backlog_bytes = size
        backlog.extendleft(reversed(kept))
        self._count(skipped, "drop-oldest")

    def _owed_for(self, item: Item) -> Owed | None:
        """Return the subscription of a message that is still there."""
        return None if item.cohort is None else self._owed.get(item.cohort.key)

    def _count(self, skipped: dict[Owed, int], reason: str) -> None:
        for owed, count in skipped.items():
            owed.drop(count, reason)
            self.owing = self.shedding = True

    def _replace(self, items: list[Item]) -> None:
        self._backlog = deque(items)
        self.backlog_bytes = sum([len(item.wire) for item in items])


def _belongs(item: Item, key: str) -> bool:
    return item.cohort is not None and item.cohort.key == key
