"""What subscribers that are blocked are still owed, kept once for all of them instead of once for each.

A subscriber whose peer does not read leaves the fan-out of its channels. While a channel has such members it keeps a log of
what it delivers, and each of them a cursor into it, so that a thousand stalled dashboards cost one append a message. There
are two logs, by what the policy owes:

    Recent   every message (drop-oldest, disconnect)
    Newest   the newest message of each topic (conflate)

A position counts the messages of the log since it was opened; messages before the first kept one are gone.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from hub.broker.publication import Item


class Piece(NamedTuple):
    """What a reader gets: items in order, and the position behind them."""

    items: list[Item]
    position: int


class Recent:
    """Every message from the oldest that somebody still waits for."""

    __slots__ = ("_bytes_before", "_ends", "_first", "_items", "_joined")

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._ends: list[int] = []  # bytes of all messages up to and with each
        self._first = 0  # the position of the first item
        self._bytes_before = 0
        self._joined: tuple[int, Piece, bytes] | None = None

    def __len__(self) -> int:
        return len(self._items)

    @property
    def end(self) -> int:
        """Return the position behind the newest message."""
        return self._first + len(self._items)

    @property
    def size(self) -> int:
        """Return the bytes that are kept."""
        return self.bytes_from(self._first)

    def extend(self, items: Sequence[Item]) -> None:
        """Add messages."""
        total = self._ends[-1] if self._ends else self._bytes_before
        for item in items:
            total += len(item[0])
            self._ends.append(total)
        self._items += items

    def bytes_from(self, position: int) -> int:
        """Return how much lies behind a position."""
        if not self._items or position >= self.end:
            return 0
        index = position - self._first
        return self._ends[-1] - (self._ends[index - 1] if index > 0 else self._bytes_before)

    def read(self, position: int, most_bytes: int) -> Piece:
        """Return what follows a position: one message at least, if there is any."""
        start = position - self._first
        before = self._ends[start - 1] if start > 0 else self._bytes_before
        stop = max(start + 1, bisect_left(self._ends, before + most_bytes, lo=start))
        items = self._items[start:stop]
        return Piece(items, position + len(items))

    def joined(self, position: int, most_bytes: int) -> tuple[Piece, bytes]:
        """Do what `read` does, with the bytes in one piece; the next reader often asks for the same."""
        known = self._joined
        if known is None or known[0] != position or known[1].position > self.end:
            piece = self.read(position, most_bytes)
            known = self._joined = (position, piece, b"".join([item[0] for item in piece.items]))
        return known[1], known[2]

    def behind(self, most_bytes: int) -> int:
        """Return the first position behind which no more than this lies."""
        goal = (self._ends[-1] if self._ends else 0) - most_bytes
        return self._first + bisect_left(self._ends, goal) + (1 if self._ends and goal > self._bytes_before else 0)

    def forget(self, position: int) -> None:
        """Drop what lies before a position."""
        count = min(position - self._first, len(self._items))
        if count > 0:
            self._bytes_before = self._ends[count - 1]
            del self._items[:count]
            del self._ends[:count]
            self._first += count
            self._joined = None


class Newest:
    """The newest message of each topic, ordered by when it came."""

    __slots__ = ("_entries", "end", "size")

    def __init__(self) -> None:
        self._entries: dict[str, tuple[int, Item]] = {}  # by topic: position behind the message, message
        self.size = 0
        self.end = 0

    def __len__(self) -> int:
        return len(self._entries)

    def extend(self, items: Sequence[Item]) -> None:
        """Add messages."""
        for item in items:
            topic = "" if item.publication is None else item.publication.address.text
            older = self._entries.pop(topic, None)
            if older is not None:
                self.size -= len(older[1].wire)
            self.end += 1
            self.size += len(item.wire)
            self._entries[topic] = (self.end, item)

    def bytes_from(self, position: int) -> int:
        """Return how much lies behind a position."""
        return sum(len(item.wire) for end, item in self._entries.values() if end > position)

    def read(self, position: int, most_bytes: int) -> Piece:
        """Return what follows a position: one message at least, if there is any."""
        items: list[Item] = []
        size = 0
        last = self.end
        for end, item in self._entries.values():
            if end > position:
                if items and size >= most_bytes:
                    return Piece(items, last)
                items.append(item)
                size += len(item.wire)
                last = end
        return Piece(items, self.end)

    def joined(self, position: int, most_bytes: int) -> tuple[Piece, bytes]:
        """Do what `read` does, with the bytes in one piece."""
        piece = self.read(position, most_bytes)
        return piece, b"".join([item.wire for item in piece.items])

    def behind(self, most_bytes: int) -> int:
        """Return the first position behind which no more than this lies."""
        over = self.size - most_bytes
        position = 0
        for end, item in self._entries.values():
            if over <= 0:
                break
            over -= len(item.wire)
            position = end
        return position

    def forget(self, position: int) -> None:
        """Drop what lies before a position."""
        while self._entries:
            topic = next(iter(self._entries))
            end, item = self._entries[topic]
            if end > position:
                return
            del self._entries[topic]
            self.size -= len(item.wire)


Log = Recent | Newest


class Cursor:
    """Where in a log one subscription stands."""

    __slots__ = ("log", "position", "skipped")

    def __init__(self, log: Log) -> None:
        self.log = log
        self.position = log.end
        self.skipped = 0  # messages passed over, to be told by the next one read: older ones may still be on their way

    @property
    def waiting(self) -> bool:
        """Whether anything lies behind it."""
        return self.position < self.log.end

    @property
    def size(self) -> int:
        """Return how much lies behind it."""
        return self.log.bytes_from(self.position)

    def take(self, most_bytes: int) -> tuple[list[Item], bytes, int]:
        """Return the next messages, their bytes joined, and how many were skipped among them; go on behind them."""
        piece, data = self.log.joined(self.position, most_bytes)
        skipped = piece.position - self.position - len(piece.items)
        self.position = piece.position
        return piece.items, data, skipped

    def skip(self, most_bytes: int) -> int:
        """Go on until no more than this lies behind it, or one message; return how many were passed over."""
        position = max(self.position, min(self.log.behind(most_bytes), self.log.end - 1))
        skipped, self.position = position - self.position, position
        return skipped
