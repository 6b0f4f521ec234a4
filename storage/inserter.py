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
from storage.device_state import DeviceState
from storage.engine import RawConnection
from storage.leaves import Leaves
from storage.partitions import instant
from storage.quarantine import QuarantinedPayload, storable_text
from storage.rollups import Marks

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
    device_states: int = 0
    batches: int = 0
    batches_staged: int = 0
    batches_spooled: int = 0
    failures: int = 0


class Inserter:
    """One connection's way into the tables."""

    def __init__(self, connection: RawConnection, leaves: Leaves, marks: Marks, counters: Counters) -> None:
        self._connection = connection
        self._marks = marks
        self._leaves = leaves
        self._counters = counters
        self._staged: set[str] = set()

    async def put_numbers(self, columns: Columns, suspect: npt.NDArray[np.bool_] | None, *, fresh: bool) -> list[int]:
        """Store the numbers; rows marked `suspect` go through staging. Return the indexes of rows refused.

        `fresh` promises that no rollup can have passed the readings' times (see `rollups`).
        """
        everything = np.arange(len(columns.series))
        if suspect is None or not suspect.any():
            return await self._numbers(columns, everything, stage=False, mark=not fresh)
        refused = await self._numbers(columns, everything[~suspect], stage=False, mark=not fresh)
        return refused + await self._numbers(columns, everything[suspect], stage=True, mark=not fresh)

    async def _numbers(self, columns: Columns, rows: npt.NDArray[np.intp], *, stage: bool, mark: bool) -> list[int]:
        if not len(rows):
            return []
        series, times = columns.series[rows], columns.time_us[rows]
        data = encode_numbers(series, times, columns.value[rows])
        try:
            await self._put("readings", data, times, stage=stage, marks=series if mark else None)
        except DATA_ERRORS:
            if len(rows) == 1:
                return [int(rows[0])]
            half = len(rows) // 2
            left = await self._numbers(columns, rows[:half], stage=stage, mark=mark)
            return left + await self._numbers(columns, rows[half:], stage=stage, mark=mark)
        return []

    async def put_texts(self, texts: Sequence[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
        """Store the texts; return those refused."""
        if not texts:
            return []
        times = np.fromiter((time_us for _, time_us, _ in texts), np.int64, len(texts))
        try:
            await self._put("readings_text", encode_texts(texts), times, stage=False, marks=None)
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
            [storable_text(item.topic, len(item.topic)) for item in items],
            [item.payload for item in items],
            [storable_text(item.reason) for item in items],
            [storable_text(item.detail) for item in items],
            [None if item.content_type is None else storable_text(item.content_type) for item in items],
            [item.origin for item in items],
            [item.retained for item in items],
        )
        self._counters.quarantined += len(items)

    async def put_device_states(self, states: Sequence[DeviceState]) -> None:
        """Keep the newest state of each device; a device that is not known yet is made."""
        newest: dict[str, DeviceState] = {}
        for state in states:
            known = newest.get(state.device)
            if known is None or state.time_us >= known.time_us:
                newest[state.device] = state
        if not newest:
            return
        kept = [newest[device] for device in sorted(newest)]  # sorted, so that hubs cannot deadlock
        await self._connection.execute(
            _DEVICE_STATES,
            [state.device for state in kept],
            [state.online for state in kept],
            [storable_text(state.state) for state in kept],
            [instant(state.time_us) for state in kept],
        )
        self._counters.device_states += len(kept)

    async def _put(
        self,
        table: str,
        data: memoryview,
        times: npt.NDArray[np.int64],
        *,
        stage: bool,
        marks: npt.NDArray[np.int32] | None,
    ) -> None:
        for last_attempt in (False, False, True):
            target = await self._leaves.target(self._connection, table, times)
            try:
                if marks is None:
                    # One statement is one transaction: a fresh batch without repeats costs a single round trip.
                    stored = await self._stage(table, data) if stage else await self._copy(target, data)
                else:
                    async with self._connection.transaction():
                        stored = await self._stage(table, data) if stage else await self._copy(target, data)
                        marked = await self._marks.mark(self._connection, marks, times)
                    self._marks.keep(*marked)
            except asyncpg.UniqueViolationError:
                stage = True
                if last_attempt:
                    raise
            except LEAF_ERRORS:
                # Retention, here or in another hub, dropped the leaf since we learnt of it.
                self._leaves.forget()
                if last_attempt:
                    raise
            else:
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
    INSERT INTO quarantine (ts, id, topic, payload, reason, detail, content_type, origin, retained)
    SELECT * FROM unnest($1::timestamptz[], $2::uuid[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::text[],
                         $8::text[], $9::bool[])
    ON CONFLICT DO NOTHING
"""
_DEVICE_STATES = """
    INSERT INTO devices (name, online, state, state_ts)
    SELECT * FROM unnest($1::text[], $2::bool[], $3::text[], $4::timestamptz[])
    ON CONFLICT (name) DO UPDATE
       SET online = excluded.online, state = excluded.state, state_ts = excluded.state_ts
     WHERE devices.state_ts IS NULL OR devices.state_ts <= excluded.state_ts
"""
