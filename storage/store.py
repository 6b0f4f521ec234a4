"""The store: the one object that the hub holds. Readings go in, a future says when they are durable.

It starts at once, whether or not the database answers; `health()` says how it stands.
"""

import asyncio
import time
from pathlib import Path
from typing import Final

from storage.data_directory import Claim, claim
from storage.database import Database
from storage.device_state import DeviceState
from storage.inserter import Counters
from storage.maintenance import Maintenance
from storage.name_watch import NameWatch
from storage.quarantine import QuarantinedPayload
from storage.queries import Queries
from storage.settings import StorageSettings
from storage.spool import SPOOL_FILE, Spool
from storage.writer import Writer

CLOSE_DEADLINE_S: Final = 8.0
"""To stop in all, however the database does; the last part belongs to the embedded server."""
DISCONNECT_S: Final = 3.0
MIN_EMBEDDED_S: Final = 2.0


class Store:
    """Create inside the event loop, `start()`, write, `close()`. Not for use from several threads."""

    def __init__(self, settings: StorageSettings, data_dir: Path) -> None:
        self._settings = settings
        self._data_dir = data_dir
        self._claim: Claim | None = None
        self._database = Database(settings, data_dir)
        self.spool = Spool(data_dir / SPOOL_FILE, settings.spool_bytes, self._database.clock.now_us)
        self._writer = Writer(settings, self._database, self.spool)
        self.write = self._writer.add
        """The hot path, without a call in between: `write(readings, extra_bytes=0)`, see `Writer.add`."""
        self.maintenance = Maintenance(settings, self._database)
        self.names = NameWatch(self._database)
        self.queries = Queries(self._database)
        self.clock = self._database.clock

    @property
    def counters(self) -> Counters:
        """What was stored since the start; see `Counters`."""
        return self._writer.counters

    @property
    def rows_pending(self) -> int:
        """Readings in memory that are not durable yet."""
        return self._writer.rows_pending

    @property
    def places_failing(self) -> int:
        """The leaves and tables that failed when they were last written to."""
        return self._writer.places_failing

    @property
    def full(self) -> bool:
        """True when the bounds on memory are reached: stop reading publishers, then `await wait_not_full()`."""
        return self._writer.full

    async def wait_not_full(self) -> None:
        await self._writer.wait_not_full()

    async def tried(self, patience_s: float) -> str | None:
        """Return why the database cannot be used, once it was tried or the patience ends; None when it can.

        Raises PoolerError: no later attempt would end otherwise.
        """
        done = await self._database.wait_tried(patience_s)
        return self._database.problem if done or not self._database.embedded else None

    async def start(self) -> None:
        """Open the spool; then connect, migrate and write in the background. Raises DataDirectoryError, SpoolError."""
        self._claim = claim(self._data_dir)
        try:
            await self.spool.open()
        except BaseException:
            self._claim.release()
            raise
        self._database.start()
        self._writer.start()
        self.maintenance.start()
        self.names.start()

    def quarantine(self, item: QuarantinedPayload) -> asyncio.Future[None]:
        """Keep a payload that could not be decoded, with the same promise as for a reading."""
        return self._writer.add_quarantined(item)

    def device_state(self, item: DeviceState) -> asyncio.Future[None]:
        """Keep the state of a device, with the same promise as for a reading."""
        return self._writer.add_device_state(item)

    def spool_age_s(self) -> float:
        """Return the age of the oldest batch in the spool, 0 when it is empty."""
        oldest_us = self.spool.oldest_us
        return 0.0 if oldest_us is None else max(0.0, time.time() - oldest_us / 1_000_000)

    def health(self) -> dict[str, object]:
        """Return the state for /readyz: `ok`, and in `detail` what is wrong."""
        usable = self._database.up and self._database.away_since_s is None
        problems = [] if usable else [f"database away: {self._database.problem}"]
        if self.spool.problem is not None:
            problems.append(f"spool: {self.spool.problem}")
        if self._writer.defect is not None:
            problems.append(self._writer.defect)
        if (waiting := self._writer.waiting) is not None:
            problems.append(waiting)
        if self.maintenance.retention.ending is not None:
            problems.append(self.maintenance.retention.ending)
        if self.maintenance.stuck:
            problems.append(f"maintenance fails, rollups and retention stand still: {self.maintenance.problem}")
        if self.clock.problem is not None:
            problems.append(self.clock.problem)
        if self.full:
            problems.append("full: publishers are held back")
        return {
            "ok": not problems,
            "detail": "; ".join(problems),
            "database": "up" if usable else "away",
            "rows_pending": self.rows_pending,
            "full": self.full,
            "spool_batches": self.spool.batches,
            "spool_rows": self.spool.rows,
            "spool_bytes": self.spool.bytes,
            "spool_oldest_us": self.spool.oldest_us,
            "connections_allowed": self._database.limited,
            "quarantine_full": self._writer.quarantine_full,
            "maintenance": self.maintenance.problem or "",
            "retention": self.maintenance.retention.held or "",
            "clock_offset_s": round(self.clock.offset_s, 3),
        }

    async def close(self) -> None:
        """Make what is left durable, resolve its futures and disconnect; what cannot be in time is cancelled."""
        deadline_s = time.monotonic() + CLOSE_DEADLINE_S
        # Cancelled now; they may have to wait for an answer to a ROLLBACK, until the connections are cut.
        resting = asyncio.gather(self.names.close(), self.maintenance.close())
        await self._writer.close(CLOSE_DEADLINE_S - DISCONNECT_S)
        await self._database.close(max(MIN_EMBEDDED_S, deadline_s - time.monotonic()))
        await resting
        await self.spool.close()
        if self._claim is not None:
            self._claim.release()
