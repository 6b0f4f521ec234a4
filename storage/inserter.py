"""Puts columns into the tables over one connection: COPY first, staging where a key repeats, halves where data is bad.

Rules: every path is idempotent, so a batch whose commit is unclear is simply put again. Rows that this process has
seen a newer or equal time for are likely repeats or late and go through staging; all others are copied straight into
their leaf, and only a unique violation sends them through staging as well. A data error (SQLSTATE class 22, or 23 other
than 23505) is bisected down to its rows, which are quarantined.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg
import numpy as np
import numpy.typing as npt

from storage.columns import Columns
from storage.copy_format import encode_numbers, encode_texts
from storage.engine import RawConnection
from storage.partitions import Leaf, find_leaf, instant, make_leaves, read_leaves
from storage.quarantine import QuarantinedPayload, storable_text

ROW_COLUMNS: Final = ("series_id", "ts", "value")
STAGES: Final = {"readings": "stage_readings", "readings_text": "stage_readings_text"}
DATA_ERRORS: Final = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)
LEAF_ERRORS: Final = (asyncpg.UndefinedTableError, asyncpg.CheckViolationError)


@dataclass(slots=True)
class Counters:
    """What the writer did since its start; plain integers, read by /metrics."""

    rows_stored: int = 0
    rows_duplicate: int = 0
    rows_refused: int = 0
    quarantined: int = 0
    batches: int = 0
    batches_staged: int = 0
    batches_spooled: int = 0
    failures: int = 0


class Leaves:
    """The leaves known to this process, per table; shared by all connections."""

    def __init__(self, width_us: int) -> None:
        self.width_us = width_us
        self._leaves: dict[str, list[Leaf]] = {}

    def forget(self) -> None:
        self._leaves.clear()

    async def target(self, connection: RawConnection, table: str, time_us: npt.NDArray[np.int64]) -> str:
        """Return the table to copy rows of these times into: their leaf, or the parent when they span several."""
        if table not in self._leaves:
            self._leaves[table] = await read_leaves(connection, table)
        first = find_leaf(self._leaves[table], int(time_us.min()))
        if first is not None and int(time_us.max()) < first.end_us:
            return first.name
        slots = np.unique(time_us // self.width_us) * self.width_us
        # A slot may be shared by several leaves after a change of width: ask for its rows' own extremes as well.
        wanted = {int(time_us.min()), int(time_us.max()), *(int(slot) for slot in slots)}
        wanted = {min(max(time, int(time_us.min())), int(time_us.max())) for time in wanted}
        if any(find_leaf(self._leaves[table], time) is None for time in wanted):
            self._leaves[table] = await make_leaves(connection, table, sorted(wanted), self.width_us)
        leaf = find_leaf(self._leaves[table], int(time_us.min()))
        return leaf.name if leaf is not None and int(time_us.max()) < leaf.end_us else table


class Inserter:
    """One connection's way into the tables."""

    def __init__(self, connection: RawConnection, leaves: Leaves, counters: Counters) -> None:
        self._connection = connection
        self._leaves = leaves
        self._counters = counters
        self._staged: set[str] = set()

    async def put_numbers(self, columns: Columns, suspect: npt.NDArray[np.bool_] | None) -> list[int]:
        """Store the numbers; rows marked `suspect` go through staging. Return the indexes of rows refused."""
        everything = np.arange(len(columns.series))
        if suspect is None or not suspect.any():
            return await self._numbers(columns, everything, stage=False)
        refused = await self._numbers(columns, everything[~suspect], stage=False)
        return refused + await self._numbers(columns, everything[suspect], stage=True)

    async def _numbers(self, columns: Columns, rows: npt.NDArray[np.intp], *, stage: bool) -> list[int]:
        if not len(rows):
            return []
        times = columns.time_us[rows]
        data = encode_numbers(columns.series[rows], times, columns.value[rows])
        try:
            await self._put("readings", data, times, stage=stage)
        except DATA_ERRORS:
            if len(rows) == 1:
                return [int(rows[0])]
            half = len(rows) // 2
            left = await self._numbers(columns, rows[:half], stage=stage)
            return left + await self._numbers(columns, rows[half:], stage=stage)
        return []

    async def put_texts(self, texts: Sequence[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
        """Store the texts; return those refused."""
        if not texts:
            return []
        times = np.fromiter((time_us for _, time_us, _ in texts), np.int64, len(texts))
        try:
            await self._put("readings_text", encode_texts(texts), times, stage=False)
        except DATA_ERRORS:
            if len(texts) == 1:
                return list(texts)
            half = len(texts) // 2
            return await self.put_texts(texts[:half]) + await self.put_texts(texts[half:])
        return []

    async def put_quarantined(self, items: Sequence[QuarantinedPayload]) -> None:
        """Store refused payloads; one that is stored already is left as it is."""
        if not items:
            return
        times = np.fromiter((item.received_us for item in items), np.int64, len(items))
        await self._leaves.target(self._connection, "quarantine", times)
        await self._connection.execute(
            _QUARANTINE,
            [instant(item.received_us) for item in items],
            [item.identity for item in items],
            [storable_text(item.topic) for item in items],
            [item.payload for item in items],
            [storable_text(item.reason) for item in items],
            [storable_text(item.detail) for item in items],
        )
        self._counters.quarantined += len(items)

    async def _put(self, table: str, data: memoryview, times: npt.NDArray[np.int64], *, stage: bool) -> None:
        target = await self._leaves.target(self._connection, table, times)
        for attempt in (1, 2):
            try:
                stored = await self._stage(table, data) if stage else await self._copy(target, data)
            except asyncpg.UniqueViolationError:
                stage = True
                stored = await self._stage(table, data)
            except LEAF_ERRORS:
                # Retention, here or in another hub, dropped the leaf since we learnt of it.
                if attempt == 2:
                    raise
                self._leaves.forget()
                target = await self._leaves.target(self._connection, table, times)
                continue
            break
        self._counters.rows_stored += stored
        self._counters.rows_duplicate += len(times) - stored
        self._counters.batches_staged += stage

    async def _copy(self, target: str, data: memoryview) -> int:
        status = await self._connection.copy_to_table(
            target,
            source=data,  # type: ignore[arg-type]  # asyncpg takes any buffer that is no path, its stubs do not say so
            columns=ROW_COLUMNS,
            format="binary",
        )
        return int(status.rpartition(" ")[2])

    async def _stage(self, table: str, data: memoryview) -> int:
        """Store rows of which some may exist already; return the number that were new."""
        stage = STAGES[table]
        if stage not in self._staged:
            await self._connection.execute(
                f"CREATE TEMP TABLE IF NOT EXISTS {stage} (LIKE {table}) ON COMMIT DELETE ROWS"
            )
            self._staged.add(stage)
        async with self._connection.transaction():
            await self._copy(stage, data)
            status = await self._connection.execute(
                f"INSERT INTO {table} SELECT series_id, ts, value FROM {stage} ON CONFLICT DO NOTHING"  # noqa: S608
            )
        return int(status.rpartition(" ")[2])


_QUARANTINE = """
    INSERT INTO quarantine (ts, id, topic, payload, reason, detail)
    SELECT * FROM unnest($1::timestamptz[], $2::uuid[], $3::text[], $4::bytea[], $5::text[], $6::text[])
    ON CONFLICT DO NOTHING
"""
