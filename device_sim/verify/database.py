"""The comparison in the database: ledgers go up by COPY into temporary tables, SQL joins them with what is stored.

Nothing is kept: the tables end with the connection. What is read of the ledgers is held 50,000 readings at a time.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from device_sim.errors import BadArgumentError
from device_sim.ledger.reader import LedgerFile
from device_sim.ledger.writer import Acknowledgement, LedgerEntry
from device_sim.programs import say, tell
from device_sim.verify.judge import Example, TimedCount, UntimedCount, Verdict, judge
from storage.copy_format import encode_numbers, encode_texts
from storage.engine import DATABASE_AWAY, RawConnection, lend, make_engine
from storage.errors import DatabaseSettingsError
from storage.settings import StorageSettings

FOLDER: Final = Path(__file__).parent
STATEMENT_TIMEOUT_S: Final = 300.0
DATABASE_URL: Final = "postgresql://user:password@host:5432/database"
UPLOAD: Final = 50_000
UNTIMED_BEFORE_US: Final = 1_000_000
UNTIMED_AFTER_US: Final = 120_000_000
"""A reading that the hub stamps belongs to a run from 1 s before it (clocks differ) to 2 minutes after it (queues)."""
EXAMPLES: Final = 5
HUB_TABLES: Final = ("devices", "series", "readings", "readings_text")
"""What the comparison reads."""
UNTIMED: Final = 4
"""Beside the two bits of the acknowledgement in `code`, the first column of what goes up: key * 8 + these three bits."""
TABLES: Final = (
    # A million readings are sorted and hashed in memory; the default of 4 MB writes them to files and back.
    "SET work_mem = '192MB'",
    "SET temp_buffers = '64MB'",
    "CREATE TEMPORARY TABLE ledger_number (code int, ts timestamptz, value float8)",
    "CREATE TEMPORARY TABLE ledger_text (code int, ts timestamptz, value text)",
    "CREATE TEMPORARY TABLE ledger_series (key int, device text, metric text)",
    "CREATE TEMPORARY TABLE ledger_device (name text, first timestamptz, last timestamptz)",
)


async def verify(ledgers: Iterable[Path], database_url: str) -> Verdict:
    """Compare `ledgers` with the database; BadArgumentError names --database-url when it cannot be asked."""
    files = [LedgerFile(path) for path in ledgers]
    async with _asked(database_url) as engine:
        return await _compare(files, engine)


async def check_database(database_url: str) -> None:
    """Ask the database for the hub's tables, before a fleet starts whose run would end with that question."""
    async with _asked(database_url) as engine, lend(engine) as connection:
        missing = [table for table in HUB_TABLES if await connection.fetchval("SELECT to_regclass($1)", table) is None]
        if missing:
            raise BadArgumentError(
                "--database-url",
                f"the database has no table {missing[0]!r}: it is no hub's; name the hub's, or start the hub on it once",
            )


@asynccontextmanager
async def _asked(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Lend an engine; a database that does not answer becomes a BadArgumentError."""
    try:
        engine = make_engine(
            database_url, StorageSettings(database_url=database_url, statement_timeout_s=STATEMENT_TIMEOUT_S)
        )
    except DatabaseSettingsError as error:
        raise BadArgumentError("--database-url", f"{error.problem}; use {DATABASE_URL}") from error
    try:
        yield engine
    except DATABASE_AWAY as error:
        reason = str(getattr(error, "orig", None) or error) or type(error).__name__
        raise BadArgumentError("--database-url", f"the database cannot be asked: {reason}") from error
    finally:
        await engine.dispose()


async def _compare(files: list[LedgerFile], engine: AsyncEngine) -> Verdict:
    async with lend(engine) as connection:
        for statement in TABLES:
            await connection.execute(statement)
        await _Upload(connection).send(files)
        for statement in _statements("outcomes.sql"):
            await connection.execute(statement)
        timed, untimed, phantom = _statements("counts.sql")
        verdict = judge(
            [TimedCount(Acknowledgement(row[0]), *row[1:]) for row in await connection.fetch(timed)],
            [UntimedCount(*row) for row in await connection.fetch(untimed)],
            await connection.fetchval(phantom),
        )
        if verdict.ok:
            return verdict
        (examples,) = _statements("examples.sql")
        return verdict.with_examples(Example(*row) for row in await connection.fetch(examples, EXAMPLES))


def _statements(name: str) -> list[str]:
    """Split one of our own files at the semicolons that end its lines."""
    return [part for part in (FOLDER / name).read_text(encoding="utf-8").split(";\n") if part.strip()]


class _Upload:
    """Fills the temporary tables."""

    def __init__(self, connection: RawConnection) -> None:
        self._connection = connection
        self._keys: dict[tuple[str, str], int] = {}
        self._devices: dict[str, list[int]] = {}
        self._codes: list[int] = []
        self._times: list[int] = []
        self._values: list[float] = []
        self._texts: list[tuple[int, int, str]] = []

    async def send(self, files: Iterable[LedgerFile]) -> None:
        for file in files:
            spans = file.spans
            begin_us = min((span.begin_us for span in spans), default=0) - UNTIMED_BEFORE_US
            end_us = max((span.end_us for span in spans), default=0) + UNTIMED_AFTER_US
            for entry in file.entries():
                self._take(entry, begin_us, end_us)
                if len(self._codes) + len(self._texts) >= UPLOAD:
                    await self._flush()
        await self._flush()
        await self._connection.copy_records_to_table("ledger_series", records=self._series())
        await self._connection.copy_records_to_table("ledger_device", records=self._spans())
        for table in ("ledger_number", "ledger_text", "ledger_series", "ledger_device"):
            await self._connection.execute(f"ANALYZE {table}")

    def _take(self, entry: LedgerEntry, begin_us: int, end_us: int) -> None:
        device, time_us = entry.device, entry.time_us
        flags = entry.acknowledged if entry.timed else entry.acknowledged | UNTIMED
        first_us, last_us = (time_us, time_us) if entry.timed else (begin_us, max(end_us, entry.due_us))
        span = self._devices.get(device)
        if span is None:
            span = self._devices[device] = [first_us, last_us]
        elif first_us < span[0]:
            span[0] = first_us
        span[1] = max(span[1], last_us)
        for metric, value in zip(entry.metrics, entry.values, strict=True):
            key = self._keys.get((device, metric))
            if key is None:
                key = self._keys[device, metric] = len(self._keys)
            if isinstance(value, str):
                self._texts.append((key * 8 + flags, time_us, value))
            else:
                self._codes.append(key * 8 + flags)
                self._times.append(time_us)
                self._values.append(value)

    async def _flush(self) -> None:
        if self._codes:
            numbers = encode_numbers(
                np.array(self._codes, np.int32), np.array(self._times, np.int64), np.array(self._values, np.float64)
            )
            await self._copy("ledger_number", numbers)
        if self._texts:
            await self._copy("ledger_text", encode_texts(self._texts))
        for column in (self._codes, self._times, self._values, self._texts):
            column.clear()

    async def _copy(self, table: str, data: memoryview) -> None:
        # asyncpg takes any buffer that is no path, its stubs do not say so.
        await self._connection.copy_to_table(table, source=data, format="binary")  # type: ignore[arg-type]

    def _series(self) -> Iterator[tuple[int, str, str]]:
        for (device, metric), key in self._keys.items():
            yield key, device, metric

    def _spans(self) -> Iterator[tuple[str, datetime, datetime]]:
        for device, (first_us, last_us) in self._devices.items():
            yield device, _moment(first_us), _moment(last_us)


def _moment(time_us: int) -> datetime:
    seconds, us = divmod(time_us, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=us)


def run_verify(ledgers: Sequence[Path], database_url: str) -> int:
    """Print findings for a person on stderr and the verdict as one line of JSON; return the exit status."""
    verdict = asyncio.run(verify(ledgers, database_url))
    for example in verdict.examples:
        tell(str(example))
    say(orjson.dumps(verdict.as_json()).decode())
    return 0 if verdict.ok else 1
