"""Subscriptions with one filter, one cohort and one policy: the unit of the fan-out.

A channel is a leaf of the tree of filters. Joining or leaving an existing one changes neither the tree nor any fan-out
that is remembered. Its members are

    active    the broker appends the cohort's bytes to their outboxes
    parked    their peer does not read: see `backlog`
    special   they have stages of their own, which messages are offered to
"""

import sys
from collections.abc import Callable
from typing import Final

from hub.broker.backlog import Cursor, Log, Newest, Recent
from hub.broker.options import OnSlow
from hub.broker.outbox import Outbox, Owed
from hub.broker.publication import OVERHEAD, Cohort, Item, Publication

Key = tuple[str, Cohort, OnSlow]  # filter, cohort, policy
Offer = Callable[[Publication, float], None]
LOOK_EVERY_BYTES: Final = 65_536  # of a log's growth: at least so often where members have several subscriptions


class Channel:
    """The subscriptions of one filter whose bytes are the same."""

    __slots__ = (
        "_look_at",
        "_on_slow",
        "_parked",
        "_step",
        "active",
        "cohort",
        "dirty",
        "key",
        "log",
        "outboxes",
        "special",
    )

    def __init__(self, key: Key) -> None:
        self.key = key
        _, self.cohort, self._on_slow = key
        self.active: dict[Owed, list[Item]] = {}  # the `pending` of their outboxes
        self.outboxes: dict[Owed, Outbox] = {}  # of the active ones
        self.special: dict[Owed, Offer] = {}
        self.dirty = False  # it has items that were not flushed
        self._parked: dict[Owed, Outbox] = {}
        self.log: Log | None = None  # while somebody is parked
        # Bytes of the log at which the bounds of parked members are looked at, and how much later again.
        self._look_at = self._step = sys.maxsize

    @property
    def empty(self) -> bool:
        return not self.active and not self._parked and not self.special

    @property
    def logged_bytes(self) -> int:
        """Return what is kept for parked members."""
        return 0 if self.log is None else self.log.size

    @property
    def kept_bytes(self) -> int:
        """Return the memory that this takes: each message is there encoded and as it came."""
        return 0 if self.log is None else 2 * self.log.size + OVERHEAD * len(self.log)

    def shed(self) -> None:
        """Give memory back: parked members lose the older half of the log, or are given up, by their policy."""
        log = self.log
        if log is None:
            return
        keep = log.size // 2
        for owed, outbox in tuple(self._parked.items()):
            if owed.cursor is not None and owed.cursor.size > keep:
                outbox.skip(owed, keep)
        self._forget()

    def join(self, owed: Owed, outbox: Outbox, offer: Offer | None) -> None:
        """Add a member; `offer` is the first stage of a special one. An existing member changes its stage."""
        self.leave(owed)
        if offer is not None:
            self.special[owed] = offer
        elif outbox.parked:
            self._parked[owed] = outbox
            self._open(owed, outbox)
        else:
            self.active[owed] = outbox.pending
            self.outboxes[owed] = outbox

    def leave(self, owed: Owed) -> None:
        """Remove a member."""
        owed.cursor = None
        self.special.pop(owed, None)
        self.active.pop(owed, None)
        self.outboxes.pop(owed, None)
        if self._parked.pop(owed, None) is not None and not self._parked:
            self.log = None

    def park(self, owed: Owed) -> None:
        """Let a member leave the fan-out."""
        outbox = self.outboxes.pop(owed, None)
        if outbox is not None:
            del self.active[owed]
            self._parked[owed] = outbox
            self._open(owed, outbox)

    def come_back(self, owed: Owed) -> None:
        """Let a member that has read everything take part in the fan-out again."""
        outbox = self._parked.pop(owed, None)
        if outbox is not None:
            owed.cursor = None
            self.active[owed] = outbox.pending
            self.outboxes[owed] = outbox
            if not self._parked:
                self.log = None

    def look(self) -> None:
        """Hold parked members to their bounds, and forget what all of them have read or lost."""
        log = self.log
        if log is None or log.size < self._look_at:
            return
        for owed, outbox in tuple(self._parked.items()):
            outbox.overdraw(owed)
        self._forget()

    def _forget(self) -> None:
        """Forget what all have read or lost."""
        if self.log is not None:  # else all of them were given up
            self.log.forget(min([owed.cursor.position for owed in self._parked if owed.cursor]))
            self._look_at = self.log.size + self._step

    def _open(self, owed: Owed, outbox: Outbox) -> None:
        if self.log is None:
            self.log = Newest() if self._on_slow is OnSlow.CONFLATE else Recent()
            self._step = self._look_at = sys.maxsize
        if outbox.alone:
            # Nothing can be too much before the whole log is.
            self._step = min(self._step, outbox.limit // 8)
            self._look_at = min(self._look_at, max(outbox.limit, self.log.size))
        else:
            self._step = min(self._step, LOOK_EVERY_BYTES, outbox.limit // 16)
            self._look_at = min(self._look_at, self.log.size + self._step)
        owed.cursor = Cursor(self.log)
