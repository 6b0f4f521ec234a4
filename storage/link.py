"""A writer's link to the database: a connection kept as long as it works, and the way of a batch over it.

The link knows rows and tables; when to try, to wait or to spool is the writer's decision. What the database refuses, or
cannot take at present, costs its own rows: they go to quarantine, or are left over to the caller.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from storage.changes import SHARE_NAMES, followed, read_changes
from storage.columns import Columns, key_of, look_up, to_columns, unknown_kinds
from storage.database import Database
from storage.device_state import DeviceState
from storage.division import Aside, Places, Rows, divide, insist
from storage.engine import DATABASE_AWAY, RawConnection
from storage.inserter import CatalogueChangedError, Counters, Inserter, Witness, witness_of
from storage.lease import Lease
from storage.leaves import Leaves
from storage.newest import NewestTimes
from storage.partitions import MICROSECOND, OLDEST_US
from storage.quarantine import QuarantinedPayload, refused_reading, refused_state
from storage.quarantine_room import QuarantineRoom
from storage.reading import Reading
from storage.rollups import Marks, fresh_after_us
from storage.series import SeriesCache, SeriesKey, register_series
from storage.settings import StorageSettings

NAMES_CHANGED: Final = "names were changed meanwhile, which it has to follow"
STATEMENT_SHARE: Final = 0.7
LOCK_SHARE: Final = 0.35
"""Of `write_timeout_s`: the server gives up before we do, and says what it waited for. Our own deadline then means that
nobody answers."""


class Knowledge:
    """What connections have taught this process about the database; shared by its links.

    Forgotten when a connection breaks, and when the witness is not what it was: the database may be a restored backup
    with other ids and leaves. Each forgetting begins a new generation.
    """

    def __init__(self, series_cached: int, partition_width_us: int, quarantine_bytes: int) -> None:
        self.series = SeriesCache(series_cached)
        self.leaves = Leaves(partition_width_us)
        self.newest = NewestTimes()
        self.marks = Marks()
        self.places = Places()
        self.quarantine_room = QuarantineRoom(quarantine_bytes)
        self.witness: Witness | None = None
        self.generation = 0

    def forget(self) -> None:
        self.generation += 1
        self.witness = None
        self.series.forget()
        self.leaves.forget()
        self.newest.forget()
        self.marks.forget()


@dataclass(slots=True)
class Leftover:
    """What was not stored of a batch because its place fails; to be offered again."""

    readings: list[Reading] = field(default_factory=list)
    quarantined: list[QuarantinedPayload] = field(default_factory=list)
    states: list[DeviceState] = field(default_factory=list)
    problem: str = ""

    def __len__(self) -> int:
        return len(self.readings) + len(self.quarantined) + len(self.states)


class Link:
    """One connection's worth of writing; not for use by two tasks."""

    def __init__(self, database: Database, knowledge: Knowledge, counters: Counters, settings: StorageSettings) -> None:
        self._database = database
        self._knowledge = knowledge
        self._counters = counters
        self._settings = settings
        self._generation = 0
        self._lease = Lease(database)
        self._connection: RawConnection | None = None
        self._inserter: Inserter | None = None

    async def write(
        self,
        rows: Sequence[Reading],
        quarantined: Sequence[QuarantinedPayload],
        states: Sequence[DeviceState] = (),
        *,
        live: bool = True,
        insisting: bool = False,
    ) -> Leftover:
        """Commit the batch; when this returns it is durable, but for what is left over.

        Raises one of DATABASE_AWAY, a time-out included; then the connection is gone, and what was committed of the
        batch is unknown: write all of it again. A batch that is not `live` (from the spool) is behind the newest times
        by nature, so they say nothing about it. With `insisting` no reading is left over: it is quarantined.
        """
        try:
            while True:
                try:
                    leftover = await self._write(rows, quarantined, states, live=live, insisting=insisting)
                except CatalogueChangedError:
                    if self._generation == self._knowledge.generation:
                        self._knowledge.forget()
                    if not live:
                        return Leftover(list(rows), list(quarantined), list(states), NAMES_CHANGED)
                else:
                    await self._lease.end_turn()
                    return leftover
        except BaseException as error:
            await self._lease.drop(error)
            raise

    async def followed(
        self, readings: list[Reading], states: list[DeviceState], spooled_us: int
    ) -> tuple[list[Reading], list[DeviceState]]:
        """Return a batch of the spool as it is after the changes of names made since; raises one of DATABASE_AWAY."""
        try:
            connection, _ = await self._connected()
            changes = [change for change in await read_changes(connection, 0) if change.at_us > spooled_us]
        except DATABASE_AWAY as error:
            await self._lease.drop(error)
            raise
        return followed(readings, states, changes) if changes else (readings, states)

    async def close(self) -> None:
        await self._lease.close()

    async def _connected(self) -> tuple[RawConnection, Inserter]:
        connection = await self._lease.take()
        if connection is not self._connection or self._inserter is None:
            self._inserter = None
            timeout_s = self._settings.write_timeout_s
            async with asyncio.timeout(timeout_s):
                await connection.execute(
                    f"SET statement_timeout = {timeout_s * STATEMENT_SHARE * 1000:.0f};"
                    f"SET lock_timeout = {timeout_s * LOCK_SHARE * 1000:.0f}"
                )
                await self._database.clock.measure(connection)
            self._connection = connection
            self._inserter = Inserter(
                connection,
                self._knowledge.leaves,
                self._knowledge.marks,
                self._knowledge.places,
                self._counters,
                timeout_s,
                self._settings.partitions_a_batch,
                last_wins=self._settings.same_time == "last",
            )
        return connection, self._inserter

    async def _write(
        self,
        rows: Sequence[Reading],
        quarantined: Sequence[QuarantinedPayload],
        states: Sequence[DeviceState],
        *,
        live: bool,
        insisting: bool,
    ) -> Leftover:
        connection, inserter = await self._connected()
        self._generation = self._knowledge.generation
        leftover = Leftover()
        refused = list(quarantined)
        if rows:
            rows, found = await self._with_series(rows, connection, refused, leftover, insisting=insisting)
            inserter.begin(self._knowledge.witness, insisting=insisting)
            await self._write_readings(rows, found, inserter, refused, leftover, live=live)
            self._counters.rows_refused += len(refused) - len(quarantined)
        if states:
            aside = await inserter.put_device_states(states)
            refused += [refused_state(states[row], *why, self._now_us()) for row, why in aside.refused.items()]
            leftover.states += [states[row] for row in aside.waiting]
            leftover.problem = leftover.problem or aside.problem
        if refused:
            admitted = await self._knowledge.quarantine_room.admit(connection, refused)
            self._counters.quarantine_dropped += len(refused) - len(admitted)
            aside = await inserter.put_quarantined(admitted)
            # There is no further place for what the quarantine refuses.
            leftover.quarantined += [admitted[row] for row in (*aside.refused, *aside.waiting)]
            leftover.problem = leftover.problem or aside.problem
        self._counters.rows_set_aside += len(leftover)
        return leftover

    async def _write_readings(
        self,
        rows: Sequence[Reading],
        found: Sequence[int | None],
        inserter: Inserter,
        refused: list[QuarantinedPayload],
        leftover: Leftover,
        *,
        live: bool,
    ) -> None:
        """Store the readings; add to `refused` what is to be quarantined, and to `leftover` what has to wait."""
        now_us = self._now_us()
        keep = self._settings.keep_readings
        oldest_us = max(OLDEST_US, now_us - keep // MICROSECOND) if keep else OLDEST_US
        columns = to_columns(rows, found, now_us, oldest_us, last_wins=self._settings.same_time == "last")
        suspects = self._knowledge.newest.suspects(columns) if live else None
        numbers = await inserter.put_numbers(columns, suspects, self._fresh_from_us if live else _never)
        texts = await inserter.put_texts(columns.texts)
        self._counters.rows_duplicate += columns.repeats
        self._counters.rows_conflicting += columns.conflicts
        refused += columns.refused
        if not numbers and not texts:
            return
        of_number, of_text = _by_identity(numbers, texts, columns)
        for row, number in zip(rows, found, strict=True):
            aside = of_text if isinstance(row.value, str) else of_number
            why = None if number is None else aside.get((number, row.time_us))
            if isinstance(why, str):
                leftover.readings.append(row)
                leftover.problem = why
            elif why is not None:
                refused.append(refused_reading(row, *why, now_us))

    async def _with_series(
        self,
        rows: Sequence[Reading],
        connection: RawConnection,
        refused: list[QuarantinedPayload],
        leftover: Leftover,
        *,
        insisting: bool,
    ) -> tuple[Sequence[Reading], list[int | None]]:
        """Return the rows whose series is known or can never be, with their ids; make series that are new."""
        ids = self._knowledge.series.ids
        found = look_up(rows, ids)
        if all(found):
            return rows, found
        # Looked up in a dictionary of our own: a small cache may push out ids that this batch needs.
        known = {key_of(row): number for row, number in zip(rows, found, strict=True) if number is not None}
        kinds = unknown_kinds(rows, known)
        keys = list(kinds)
        aside = Aside()

        async def register(some: Rows) -> None:
            chosen = {keys[number]: kinds[keys[number]] for number in some.tolist()}
            known.update(await self._register(connection, chosen))

        everything = np.arange(len(keys))
        await divide(everything, register, "series", self._knowledge.places, aside)
        if insisting and aside.waiting:
            waiting, aside.waiting = np.fromiter(aside.waiting, np.intp), {}
            await insist(waiting, register, aside)
        if self._generation != self._knowledge.generation:
            raise CatalogueChangedError
        if aside:
            whys = {keys[number]: why for number, why in aside.all()}
            rest: list[Reading] = []
            for row in rows:
                why = whys.get(key_of(row))
                if why is None:
                    rest.append(row)
                elif isinstance(why, str):
                    leftover.readings.append(row)
                    leftover.problem = why
                else:
                    refused.append(refused_reading(row, *why, self._now_us()))
            rows = rest
        return rows, look_up(rows, known)

    async def _register(self, connection: RawConnection, kinds: dict[SeriesKey, str]) -> dict[SeriesKey, int]:
        """Look up or make series, beside the witness: none of another database is taken for one of this."""
        knowledge, witness = self._knowledge, self._knowledge.witness
        async with asyncio.timeout(self._settings.write_timeout_s), connection.transaction():
            await connection.execute(SHARE_NAMES)  # no name changes until we have committed
            if witness is not None and await witness_of(connection, witness.series_id) != witness:
                raise CatalogueChangedError
            found = await register_series(connection, kinds)
            highest = max(found.values(), default=0)
            if witness is None or highest > witness.series_id:
                witness = await witness_of(connection, highest)
                if witness is None:
                    raise CatalogueChangedError
        if self._generation == knowledge.generation:
            knowledge.series.remember(found)
            if knowledge.witness is None or knowledge.witness.series_id < witness.series_id:
                knowledge.witness = witness
        return found

    def _now_us(self) -> int:
        return self._database.clock.now_us()

    def _fresh_from_us(self) -> int:
        return fresh_after_us(self._now_us(), self._settings.rollup_delay_s, self._settings.write_timeout_s)


def _never() -> int:
    return 1 << 62


def _by_identity(
    numbers: Aside, texts: Aside, columns: Columns
) -> tuple[dict[tuple[int, int], tuple[str, str] | str], dict[tuple[int, int], tuple[str, str] | str]]:
    """Return why a number and why a text was not stored, by series and time."""
    of_number: dict[tuple[int, int], tuple[str, str] | str] = {
        (int(columns.series[row]), int(columns.time_us[row])): why for row, why in numbers.all()
    }
    of_text: dict[tuple[int, int], tuple[str, str] | str] = {columns.texts[row][:2]: why for row, why in texts.all()}
    return of_number, of_text
