"""A writer's link to the database: a connection kept as long as it works, and the way of a batch over it.

The link knows rows and tables; when to try, to wait or to spool is the writer's decision.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from storage.columns import Columns, key_of, look_up, to_columns, unknown_kinds
from storage.database import Database
from storage.device_state import DeviceState
from storage.engine import RawConnection, lend
from storage.inserter import Counters, Inserter
from storage.leaves import Leaves
from storage.newest import NewestTimes
from storage.partitions import MICROSECOND, OLDEST_US
from storage.quarantine import QuarantinedPayload, refused_reading
from storage.reading import Reading
from storage.rollups import Marks, fresh_after_us
from storage.series import SeriesCache
from storage.settings import StorageSettings


class Knowledge:
    """What connections have taught this process about the database; shared by its links.

    Forgotten when a connection breaks: the next server may be a restored backup with other ids and leaves.
    """

    def __init__(self, series_cached: int, partition_width_us: int) -> None:
        self.series = SeriesCache(series_cached)
        self.leaves = Leaves(partition_width_us)
        self.newest = NewestTimes()
        self.marks = Marks()

    def forget(self) -> None:
        self.series.forget()
        self.leaves.forget()
        self.newest.forget()
        self.marks.forget()


class Link:
    """One connection's worth of writing; not for use by two tasks."""

    def __init__(self, database: Database, knowledge: Knowledge, counters: Counters, settings: StorageSettings) -> None:
        self._database = database
        self._knowledge = knowledge
        self._counters = counters
        self._settings = settings
        self._context: AbstractAsyncContextManager[RawConnection] | None = None
        self._connection: RawConnection | None = None
        self._inserter: Inserter | None = None

    async def write(
        self,
        rows: Sequence[Reading],
        quarantined: Sequence[QuarantinedPayload],
        states: Sequence[DeviceState] = (),
        *,
        live: bool = True,
    ) -> None:
        """Commit the batch; when this returns it is durable.

        Raises one of DATABASE_AWAY, a time-out included; then the connection is gone, and what was committed of the
        batch is unknown: write all of it again. A batch that is not `live` (from the spool) is behind the newest times
        by nature, so they say nothing about it.
        """
        try:
            async with asyncio.timeout(self._settings.write_timeout_s):
                await self._write(rows, quarantined, states, live=live)
        except BaseException as error:
            await self._drop(error)
            raise

    async def close(self) -> None:
        if self._context is not None:
            await self._context.__aexit__(None, None, None)
            self._context = None

    async def _drop(self, error: BaseException) -> None:
        context, self._context, self._inserter, self._connection = self._context, None, None, None
        if context is not None:
            await context.__aexit__(type(error), error, error.__traceback__)

    async def _write(
        self,
        rows: Sequence[Reading],
        quarantined: Sequence[QuarantinedPayload],
        states: Sequence[DeviceState],
        *,
        live: bool,
    ) -> None:
        if self._connection is None or self._inserter is None:
            context = lend(self._database.writers)
            self._connection = await context.__aenter__()
            self._context = context
            await self._database.clock.measure(self._connection)
            self._inserter = Inserter(self._connection, self._knowledge.leaves, self._knowledge.marks, self._counters)
        refused: list[QuarantinedPayload] = []
        if rows:
            columns = await self._columns(rows, self._connection)
            suspects = self._knowledge.newest.suspects(columns) if live else None
            fresh = live and self._fresh(columns)
            pairs = {
                (int(columns.series[row]), int(columns.time_us[row]))
                for row in await self._inserter.put_numbers(columns, suspects, fresh=fresh)
            }
            pairs |= {(series_id, time_us) for series_id, time_us, _ in await self._inserter.put_texts(columns.texts)}
            refused = columns.refused + (self._refusals(rows, pairs) if pairs else [])
            self._counters.rows_duplicate += columns.repeats
            self._counters.rows_refused += len(refused)
        await self._inserter.put_quarantined([*quarantined, *refused])
        await self._inserter.put_device_states(states)

    async def _columns(self, rows: Sequence[Reading], connection: RawConnection) -> Columns:
        series = self._knowledge.series
        found = look_up(rows, series.ids)
        if not all(found):
            # Looked up in a dictionary of our own: a small cache may push out ids that this batch needs.
            known = {key_of(row): number for row, number in zip(rows, found, strict=True) if number is not None}
            known |= await series.register(connection, unknown_kinds(rows, known))
            found = look_up(rows, known)
        now_us = self._database.clock.now_us()
        keep = self._settings.keep_readings
        return to_columns(rows, found, now_us, max(OLDEST_US, now_us - keep // MICROSECOND) if keep else OLDEST_US)

    def _fresh(self, columns: Columns) -> bool:
        limit = fresh_after_us(
            self._database.clock.now_us(), self._settings.rollup_delay_s, self._settings.write_timeout_s
        )
        return len(columns.time_us) == 0 or int(columns.time_us.min()) >= limit

    def _refusals(self, rows: Sequence[Reading], pairs: set[tuple[int, int]]) -> list[QuarantinedPayload]:
        now_us = self._database.clock.now_us()
        return [
            refused_reading(row, "refused", "the database refused the value", now_us)
            for row, series_id in zip(rows, look_up(rows, self._knowledge.series.ids), strict=True)
            if (series_id, row.time_us) in pairs
        ]
