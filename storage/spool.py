"""The spool: batches that wait on the local disk while Postgres is away. A receipt may follow its commit.

One SQLite file in WAL mode with `synchronous=FULL`: each `put` is one transaction, fsynced before it returns. One blob
a batch: zlib-compressed JSON, which keeps doubles, large integers and lone surrogates exactly. Mode 0600; capped in
bytes of blobs; first in, first out. A file that SQLite cannot read is moved aside and a new one started.

All calls run in one thread of their own, because an fsync blocks. What is not here: when to spool, which is the
writer's business.
"""

import asyncio
import base64
import contextlib
import json
import os
import sqlite3
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final, TypeVar

import structlog

from storage.device_state import DeviceState
from storage.errors import SpoolError
from storage.quarantine import QuarantinedPayload
from storage.reading import Reading

log = structlog.get_logger(__name__)

FORMAT: Final = 1
DRAIN_BLOBS: Final = 8
SPOOL_FILE: Final = "spool.sqlite3"
"""Its name in the data directory."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Spooled:
    """A batch as it lies in the spool."""

    number: int
    spooled_us: int
    size_bytes: int
    readings: list[Reading]
    quarantined: list[QuarantinedPayload]
    states: list[DeviceState]

    @property
    def rows(self) -> int:
        return len(self.readings) + len(self.quarantined) + len(self.states)


def encode(
    readings: Sequence[Reading], quarantined: Sequence[QuarantinedPayload], states: Sequence[DeviceState]
) -> bytes:
    """Return the blob of a batch."""
    items = []
    for item in quarantined:
        topic, payload, *rest = astuple(item)
        items.append((topic, base64.b64encode(payload).decode(), *rest))
    content = {"format": FORMAT, "readings": readings, "quarantined": items, "states": states}
    return zlib.compress(json.dumps(content, separators=(",", ":")).encode(), 1)


def decode(blob: bytes) -> tuple[list[Reading], list[QuarantinedPayload], list[DeviceState]]:
    """Return what `encode` was given; raises ValueError for anything else."""
    try:
        content = json.loads(zlib.decompress(blob))
        readings = [Reading(*row) for row in content["readings"]]
        quarantined = [
            QuarantinedPayload(topic, base64.b64decode(payload), *rest)
            for topic, payload, *rest in content["quarantined"]
        ]
        states = [DeviceState(*row) for row in content["states"]]
    except (zlib.error, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a spooled batch: {error}") from error
    return readings, quarantined, states


def _check(database: sqlite3.Connection) -> None:
    (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)


@dataclass(frozen=True, slots=True)
class SpoolContent:
    """What a spool file holds."""

    batches: int
    rows: int
    size_bytes: int
    oldest_us: int | None


def read_spool(path: Path) -> SpoolContent:
    """Return what waits in a spool file, beside a hub that uses it; nothing if there is no file. Raises SpoolError."""
    if not path.exists():
        return SpoolContent(0, 0, 0, None)
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            return SpoolContent(*database.execute(_COUNT).fetchone())
    except sqlite3.Error as error:
        raise SpoolError(path, str(error)) from error


_COUNT: Final = (
    "SELECT count(*), coalesce(sum(row_count), 0), coalesce(sum(length(body)), 0), min(spooled_us) FROM batches"
)


class Spool:
    """One spool file; `rows` and `bytes` say what waits in it."""

    def __init__(
        self, path: Path, limit_bytes: int, now_us: Callable[[], int] = lambda: time.time_ns() // 1000
    ) -> None:
        self.path = path
        self._now_us = now_us
        self._limit_bytes = limit_bytes
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool")
        self._database: sqlite3.Connection | None = None
        self._filled = asyncio.Event()
        self.batches = 0
        self.rows = 0
        self.bytes = 0
        self.oldest_us: int | None = None
        self.problem: str | None = None
        """Why the last `put` failed; None after one that succeeded."""

    async def open(self) -> None:
        """Open or create the file; raises SpoolError when its directory cannot be written."""
        await self._run(self._open)
        if self.batches:
            self._filled.set()

    async def put(
        self,
        readings: Sequence[Reading],
        quarantined: Sequence[QuarantinedPayload],
        states: Sequence[DeviceState] = (),
    ) -> None:
        """Make the batch durable; raises SpoolError when there is no room or the disk refuses."""
        try:
            await self._run(self._put, readings, quarantined, states)
        except SpoolError as error:
            self.problem = error.problem
            raise
        self.problem = None
        self._filled.set()

    async def wait_filled(self) -> None:
        """Return when there is a batch to drain."""
        await self._filled.wait()

    async def oldest(self, behind: int = 0) -> list[Spooled]:
        """Return the first few batches behind the number, in their order. Unreadable ones come as a quarantined payload."""
        return await self._run(self._oldest, behind)

    async def keep(
        self,
        number: int,
        readings: Sequence[Reading],
        quarantined: Sequence[QuarantinedPayload],
        states: Sequence[DeviceState],
    ) -> None:
        """Leave of a batch, in its place, what is not in Postgres yet."""
        await self._run(self._keep, number, readings, quarantined, states)

    async def remove(self, numbers: Sequence[int]) -> None:
        """Forget batches that are in Postgres now."""
        await self._run(self._remove, numbers)
        self.problem = None
        if not self.batches:
            self._filled.clear()

    async def close(self) -> None:
        await self._run(self._close)
        self._thread.shutdown()

    async def _run(self, call: Callable[..., T], *arguments: object) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)
        except (sqlite3.Error, OSError) as error:
            raise SpoolError(self.path, str(error)) from error

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._database = self._connect()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise  # busy, read-only, no space: the file itself is not to blame
            aside = self.path.with_name(f"{self.path.name}.corrupt-{time.time_ns() // 1_000_000}")
            log.exception("spool_corrupt", file=str(self.path), moved_to=str(aside), error=str(error))
            self.path.rename(aside)
            for suffix in ("-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    self.path.with_name(self.path.name + suffix).rename(aside.with_name(aside.name + suffix))
            self._database = self._connect()
        self._count()

    def _connect(self) -> sqlite3.Connection:
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        self.path.chmod(0o600)
        database = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=5.0)
        try:
            database.execute("PRAGMA auto_vacuum = INCREMENTAL")
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            _check(database)
            database.execute(
                "CREATE TABLE IF NOT EXISTS batches ("
                "number INTEGER PRIMARY KEY AUTOINCREMENT, spooled_us INTEGER, row_count INTEGER, body BLOB)"
            )
        except BaseException:
            database.close()
            raise
        return database

    @property
    def _sql(self) -> sqlite3.Connection:
        if self._database is None:
            raise SpoolError(self.path, "the spool is not open")
        return self._database

    def _count(self) -> None:
        self.batches, self.rows, self.bytes, self.oldest_us = self._sql.execute(_COUNT).fetchone()

    def _put(
        self,
        readings: Sequence[Reading],
        quarantined: Sequence[QuarantinedPayload],
        states: Sequence[DeviceState],
    ) -> None:
        blob = encode(readings, quarantined, states)
        if self.bytes + len(blob) > self._limit_bytes:
            raise SpoolError(self.path, f"full: {self.bytes} of {self._limit_bytes} bytes used")
        rows = len(readings) + len(quarantined) + len(states)
        now_us = self._now_us()
        self._sql.execute("INSERT INTO batches (spooled_us, row_count, body) VALUES (?, ?, ?)", (now_us, rows, blob))
        self.batches += 1
        self.rows += rows
        self.bytes += len(blob)
        self.oldest_us = self.oldest_us or now_us

    def _keep(
        self,
        number: int,
        readings: Sequence[Reading],
        quarantined: Sequence[QuarantinedPayload],
        states: Sequence[DeviceState],
    ) -> None:
        rows = len(readings) + len(quarantined) + len(states)
        blob = encode(readings, quarantined, states)
        self._sql.execute("UPDATE batches SET row_count = ?, body = ? WHERE number = ?", (rows, blob, number))
        self._count()

    def _oldest(self, behind: int) -> list[Spooled]:
        found = self._sql.execute(
            "SELECT number, spooled_us, body FROM batches WHERE number > ? ORDER BY number LIMIT ?",
            (behind, DRAIN_BLOBS),
        )
        batches = []
        for number, spooled_us, body in found.fetchall():
            try:
                readings, quarantined, states = decode(body)
            except ValueError as error:
                log.exception("spool_batch_unreadable", file=str(self.path), number=number, error=str(error))
                readings, states = [], []
                quarantined = [QuarantinedPayload("spool", body, "spool", spooled_us, str(error), None, "storage")]
            batches.append(Spooled(number, spooled_us, len(body), readings, quarantined, states))
        return batches

    def _remove(self, numbers: Sequence[int]) -> None:
        self._sql.execute(
            f"DELETE FROM batches WHERE number IN ({','.join('?' * len(numbers))})",  # noqa: S608 - question marks
            tuple(numbers),
        )
        self._count()
        if not self.batches:
            # Give the space back once the backlog is gone; until then free pages are used again.
            self._sql.execute("PRAGMA incremental_vacuum").fetchall()
            self._sql.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None
