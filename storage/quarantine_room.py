"""How much the quarantine may hold: bounded in bytes, because what anybody sends in a loop must not fill the disk.

Full means that the newest are left out, counted and told, and not that the oldest go: a flood would wash away what an
operator wants to see, and all of a flood is alike. A quarter is kept for readings that the storage refused, which were
acknowledged as good ones. Retention (`storage.keep_quarantine`) and `telemetry-hub db quarantine retry` make room.

The size is asked of the database now and then, and what this hub has written since is added.
"""

import time
from collections.abc import Sequence
from typing import Final

import structlog

from storage.engine import RawConnection
from storage.quarantine import QuarantinedPayload

log = structlog.get_logger(__name__)

SENDERS_SHARE: Final = 0.75
ROOM_AGAIN: Final = 0.5
"""Of the limit: below it the quarantine is told as full no longer."""
MEASURE_EVERY_S: Final = 30.0
MEASURE_AFTER: Final = 1 / 16
"""Of the limit, written since the last measurement."""
ROW_BYTES: Final = 300
"""Of a row and its index entry, about, beside the payload and the topic."""


class QuarantineRoom:
    """Shared by all connections of a process."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._measured_at_s: float | None = None
        self._measured_bytes = 0
        self._added_bytes = 0
        self.full = False

    @property
    def used_bytes(self) -> int:
        return self._measured_bytes + self._added_bytes

    async def admit(
        self, connection: RawConnection, items: Sequence[QuarantinedPayload]
    ) -> Sequence[QuarantinedPayload]:
        """Return those that there is room for."""
        if self._is_due():
            self._measured_bytes = await connection.fetchval(_SIZE)
            self._added_bytes = 0
            self._measured_at_s = time.monotonic()
            self.full = self.full and self._measured_bytes > self._limit_bytes * ROOM_AGAIN
        admitted = []
        for item in items:
            size = len(item.payload) + len(item.topic) + ROW_BYTES
            limit = self._limit_bytes if item.origin == "storage" else self._limit_bytes * SENDERS_SHARE
            if self.used_bytes + size <= limit:
                admitted.append(item)
                self._added_bytes += size
            elif not self.full:
                self.full = True
                log.warning("quarantine_full", bytes=self.used_bytes, limit=self._limit_bytes, topic=item.topic[:200])
        return admitted

    def _is_due(self) -> bool:
        if self._measured_at_s is None or self._added_bytes > self._limit_bytes * MEASURE_AFTER:
            return True
        return time.monotonic() - self._measured_at_s > MEASURE_EVERY_S


_SIZE: Final = """
    SELECT coalesce(sum(pg_total_relation_size(inhrelid)), 0)::int8 FROM pg_inherits WHERE inhparent = 'quarantine'::regclass
"""
