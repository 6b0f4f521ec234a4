"""How long it takes until a reading is in the database: a sample of what is sent, looked for until it is there.

Latency counts from the intended send time to the look that found it, so its resolution is LOOK_S and the time of a
query; the report says so. Not an audit: `verify` counts what is missing, this measures what arrives.

Rules: at most PER_S readings a second are sampled and at most WAITING are looked for at once, so that the looking does
not become the load; what was not found within PATIENCE_S is given up and counted. Readings without a device time have
no identity to look for and are never sampled. A database that is away is asked again at the next look.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

import structlog

from device_sim.errors import BadArgumentError
from device_sim.figures.results import Recorder
from device_sim.message import Message
from storage.engine import DATABASE_AWAY, RawConnection, lend, make_engine
from storage.errors import DatabaseSettingsError
from storage.settings import StorageSettings

LOOK_S: Final = 0.1
PER_S: Final = 200
WAITING: Final = 2_000
PATIENCE_S: Final = 60.0
AT_THE_END_S: Final = 5.0
"""How long after the last message the rest of the sample is looked for."""
STATEMENT_TIMEOUT_S: Final = 10.0
FIND_SERIES: Final = """
SELECT devices.name, series.metric, series.id FROM series JOIN devices ON devices.id = series.device_id
JOIN unnest($1::text[], $2::text[]) AS wanted (device, metric)
    ON wanted.device = devices.name AND wanted.metric = series.metric
"""
FIND_READINGS: Final = """
SELECT DISTINCT number FROM unnest($1::int[], $2::int[], $3::timestamptz[]) AS wanted (number, id, at)
WHERE EXISTS (SELECT FROM readings WHERE series_id = wanted.id AND ts = wanted.at)
    OR EXISTS (SELECT FROM readings_text WHERE series_id = wanted.id AND ts = wanted.at)
"""

log = structlog.get_logger("device_sim.figures.stored")


class _Wanted(NamedTuple):
    series: tuple[str, str]
    at: datetime
    due_s: float


class StoredSampler:
    """Use: `begin` with the schedule's clock, `sent` for each burst, `run` as a task, `settle` at the end, `close`."""

    def __init__(self, database_url: str, recorder: Recorder, per_s: float = PER_S) -> None:
        try:
            self._engine = make_engine(
                database_url,
                StorageSettings(database_url=database_url, statement_timeout_s=STATEMENT_TIMEOUT_S),
                connections=1,
            )
        except DatabaseSettingsError as error:
            raise BadArgumentError("--database-url", f"{error.problem}") from error
        self._recorder = recorder
        self._per_s = per_s
        self._budget = 0.0
        self._filled_s = 0.0
        self._begin = time.monotonic()
        self._numbers = 0
        self._waiting: dict[int, _Wanted] = {}
        self._looked = asyncio.Event()
        self._ids: dict[tuple[str, str], set[int]] = {}
        self.taken = self.found = self.given_up = 0

    @property
    def now_s(self) -> float:
        """Seconds since the schedule's start."""
        return time.monotonic() - self._begin

    def begin(self, begin: float) -> None:
        """Take the schedule's start on the monotonic clock."""
        self._begin = begin

    def sent(self, now_s: float, messages: Sequence[Message]) -> None:
        """Take a sample of a burst: evenly over it, one reading a message."""
        self._budget = min(
            self._budget + (now_s - self._filled_s) * self._per_s, self._per_s / 4, WAITING - len(self._waiting)
        )
        self._filled_s = now_s
        most = int(self._budget)
        if most <= 0:
            return
        step = -(-len(messages) // most)
        for message in messages[::step]:
            if message.timed and message.metrics:
                self._numbers += 1
                # A different metric with each message: texts and numbers are in different tables.
                metric = message.metrics[self._numbers % len(message.metrics)]
                at = datetime.fromtimestamp(message.time_us // 1_000_000, UTC)
                at = at.replace(microsecond=message.time_us % 1_000_000)
                self._waiting[self._numbers] = _Wanted((message.device, metric), at, message.due_s)
                self._budget -= 1
                self.taken += 1

    async def run(self) -> None:
        """Look until cancelled."""
        away = False
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self._look()
            except DATABASE_AWAY as error:
                if not away:
                    log.warning("database_away", reason=str(error) or type(error).__name__)
                away = True
            else:
                away = False
            self._give_up()
            self._looked.set()

    async def settle(self) -> None:
        """Wait until the whole sample was found, a few seconds at most; `run` goes on meanwhile."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(AT_THE_END_S):
                while self._waiting:
                    self._looked.clear()
                    await self._looked.wait()

    async def close(self) -> None:
        """Leave a note of what the sample was, and let the connection go."""
        self._recorder.notes["stored"] = (
            f"{self.found:,} of {self.taken:,} sampled readings were found in the database, "
            f"looked for every {LOOK_S * 1e3:.0f} ms"
        )
        await self._engine.dispose()

    async def _look(self) -> None:
        if not self._waiting:
            return
        async with lend(self._engine) as connection:
            await self._learn(connection)
            known = [
                (number, series, of.at)
                for number, of in self._waiting.items()
                for series in self._ids.get(of.series, ())
            ]
            if not known:
                return
            rows = await connection.fetch(FIND_READINGS, *map(list, zip(*known, strict=True)))
        now_s = self.now_s
        found = [self._waiting.pop(number) for (number,) in rows]
        self.found += len(found)
        self._recorder.seen_stored(now_s, [now_s - of.due_s for of in found])

    async def _learn(self, connection: RawConnection) -> None:
        unknown = {of.series for of in self._waiting.values()} - self._ids.keys()
        if unknown:
            for device, metric, series in await connection.fetch(FIND_SERIES, *map(list, zip(*unknown, strict=True))):
                self._ids.setdefault((device, metric), set()).add(series)

    def _give_up(self) -> None:
        oldest_s = self.now_s - PATIENCE_S
        for number in [number for number, of in self._waiting.items() if of.due_s < oldest_s]:
            del self._waiting[number]
            self.given_up += 1
