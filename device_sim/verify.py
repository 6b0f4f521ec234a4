"""The proof: the ledger of what was acknowledged, counted against the rows in the database.

Two halves. The database counts (`verify.sql`: the ledger goes up by COPY into a temporary table and is joined there, so
a million readings take seconds) and `judge`, a pure function, says what the counts mean. Both have tests with seeded
violations: a checker that has never failed proves nothing.

Not seen here: wrong values (a key is checked, not its value), and rows that nobody sent.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from device_sim.errors import BadArgumentError
from device_sim.ledger import LedgerEntry
from storage.engine import DATABASE_AWAY, make_engine
from storage.errors import DatabaseSettingsError
from storage.settings import StorageSettings

COUNT_SQL = Path(__file__).with_suffix(".sql")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STATEMENT_TIMEOUT_S = 300.0
DATABASE_URL = "postgresql://user:password@host:5432/database"


class Count(NamedTuple):
    """So many distinct readings of the ledger, acknowledged or not, rest in `copies` rows each."""

    acknowledged: bool
    copies: int
    readings: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """All figures count distinct readings (device, metric, time) of the ledger."""

    published: int
    acknowledged: int
    stored: int
    """Acknowledged readings that are there."""
    duplicates: int
    """Rows too many, of acknowledged readings and of others."""
    lost: int
    """Acknowledged readings that are not there."""

    @property
    def ok(self) -> bool:
        return self.lost == 0 and self.duplicates == 0

    def as_json(self) -> dict[str, int]:
        return asdict(self)


def judge(counts: Iterable[Count]) -> Verdict:
    """Say what the counts mean. A reading that is stored without an acknowledgement is neither loss nor duplicate."""
    published = acknowledged = stored = duplicates = lost = 0
    for count in counts:
        published += count.readings
        duplicates += max(count.copies - 1, 0) * count.readings
        if count.acknowledged:
            acknowledged += count.readings
            if count.copies:
                stored += count.readings
            else:
                lost += count.readings
    return Verdict(published, acknowledged, stored, duplicates, lost)


async def verify(entries: Iterable[LedgerEntry], database_url: str) -> Verdict:
    """Count `entries` in the database; BadArgumentError names --database-url when it cannot be asked."""
    try:
        engine = make_engine(
            database_url, StorageSettings(database_url=database_url, statement_timeout_s=STATEMENT_TIMEOUT_S)
        )
    except DatabaseSettingsError as error:
        raise BadArgumentError("--database-url", f"{error.problem}; use {DATABASE_URL}") from error
    try:
        return judge(await _count(entries, engine))
    except DATABASE_AWAY as error:
        reason = str(getattr(error, "orig", None) or error) or type(error).__name__
        raise BadArgumentError("--database-url", f"the database cannot be asked: {reason}") from error
    finally:
        await engine.dispose()


async def _count(entries: Iterable[LedgerEntry], engine: AsyncEngine) -> list[Count]:
    upload = _Upload(entries)
    async with engine.connect() as connection:
        await upload.copy(connection)
        if upload.first is None or upload.last is None:
            return []
        rows = await connection.execute(
            text(COUNT_SQL.read_text(encoding="utf-8")), {"first": upload.first, "last": upload.last}
        )
        return [Count(row.acknowledged, row.copies, row.readings) for row in rows]


class _Upload:
    """The ledger as two temporary tables: messages, and the readings that each kind of message carries."""

    def __init__(self, entries: Iterable[LedgerEntry]) -> None:
        self._entries = entries
        self._numbers: dict[tuple[str, tuple[str, ...]], int] = {}
        self.first: datetime | None = None
        self.last: datetime | None = None

    async def copy(self, connection: AsyncConnection) -> None:
        await connection.execute(text("CREATE TEMPORARY TABLE ledger (number int, ts timestamptz, acknowledged bool)"))
        await connection.execute(
            text("CREATE TEMPORARY TABLE ledger_series (number int, key int, device text, metric text)")
        )
        raw = (await connection.get_raw_connection()).driver_connection
        assert isinstance(raw, asyncpg.Connection)  # noqa: S101 - storage.engine makes it so
        await raw.copy_records_to_table("ledger", records=self._messages())
        await raw.copy_records_to_table("ledger_series", records=self._series())
        await connection.execute(text("ANALYZE ledger"))
        await connection.execute(text("ANALYZE ledger_series"))

    def _messages(self) -> Iterator[tuple[int, datetime, bool]]:
        numbers = self._numbers
        for entry in self._entries:
            kind = (entry.device, entry.metrics)
            number = numbers.get(kind)
            if number is None:
                number = numbers[kind] = len(numbers)
            moment = EPOCH + timedelta(microseconds=entry.time_us)
            if self.first is None or moment < self.first:
                self.first = moment
            if self.last is None or moment > self.last:
                self.last = moment
            yield number, moment, entry.acknowledged

    def _series(self) -> Iterator[tuple[int, int, str, str]]:
        keys: dict[tuple[str, str], int] = {}
        for (device, metrics), number in self._numbers.items():
            for metric in metrics:
                yield number, keys.setdefault((device, metric), len(keys)), device, metric
