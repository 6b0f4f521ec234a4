"""The audit on a real Postgres, filled by the hub's own store: what is right passes, each seeded violation is found."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from device_sim.errors import BadArgumentError
from device_sim.ledger import LedgerEntry
from device_sim.verify import Verdict, verify
from storage.reading import Reading
from storage.settings import StorageSettings
from storage.store import Store

START_US = 1_795_190_400_000_000
METRICS = ("temperature", "humidity", "state")
VALUES: tuple[float | str | bool, ...] = (21.5, 40.0, "on")


def entry(number: int, device: str = "sim-00000", *, acknowledged: bool = True) -> LedgerEntry:
    return LedgerEntry(device, METRICS, START_US + number * 1_000, acknowledged)


def readings_of(entries: list[LedgerEntry]) -> list[Reading]:
    return [
        Reading(of.device, metric, of.time_us, value)
        for of in entries
        for metric, value in zip(METRICS, VALUES, strict=True)
    ]


@pytest.fixture
async def store(database_url: str, tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(StorageSettings(database_url=database_url), tmp_path)
    await store.start()
    yield store
    await store.close()


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


LEDGER = [entry(number, device) for number in range(50) for device in ("sim-00000", "sim-00001")]


async def test_everything_stored_passes_numbers_and_texts(store: Store, database_url: str) -> None:
    await store.write(readings_of(LEDGER))

    assert await verify(LEDGER, database_url) == Verdict(300, 300, 300, duplicates=0, lost=0)


async def test_readings_written_twice_rest_once(store: Store, database_url: str) -> None:
    await store.write(readings_of(LEDGER))
    await store.write(readings_of(LEDGER))

    assert (await verify(LEDGER, database_url)).ok


async def test_rows_of_others_and_of_other_times_do_not_count(store: Store, database_url: str) -> None:
    await store.write(readings_of([*LEDGER, entry(7, "another"), entry(1_000)]))

    assert await verify(LEDGER, database_url) == Verdict(300, 300, 300, duplicates=0, lost=0)


async def test_each_missing_row_is_a_loss(
    store: Store, database_url: str, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await store.write(readings_of(LEDGER))
    await connection.execute(
        "DELETE FROM readings WHERE (series_id, ts) = (SELECT series_id, ts FROM readings LIMIT 1)"
    )
    await connection.execute("DELETE FROM readings_text WHERE ts = (SELECT min(ts) FROM readings_text)")

    verdict = await verify(LEDGER, database_url)

    assert verdict == Verdict(300, 300, 297, duplicates=0, lost=3)


async def test_a_row_with_another_time_is_a_loss(
    store: Store, database_url: str, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await store.write(readings_of(LEDGER))
    await connection.execute(
        "UPDATE readings SET ts = ts + interval '1 microsecond' "
        "WHERE (series_id, ts) = (SELECT series_id, ts FROM readings LIMIT 1)"
    )

    assert (await verify(LEDGER, database_url)).lost == 1


async def test_a_device_that_the_database_never_saw_is_lost_whole(store: Store, database_url: str) -> None:
    await store.write(readings_of(LEDGER))

    assert (await verify([*LEDGER, entry(0, "never-seen")], database_url)).lost == 3


async def test_a_reading_that_rests_in_two_tables_is_a_duplicate(
    store: Store, database_url: str, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """The primary keys forbid a second row in one table; the audit does not take them at their word."""
    await store.write(readings_of(LEDGER))
    await connection.execute(
        "INSERT INTO readings (series_id, ts, value) SELECT series_id, ts, 0 FROM readings_text LIMIT 2"
    )

    assert await verify(LEDGER, database_url) == Verdict(300, 300, 300, duplicates=2, lost=0)


async def test_what_was_not_acknowledged_may_be_missing(store: Store, database_url: str) -> None:
    await store.write(readings_of(LEDGER))
    pending = [entry(100, acknowledged=False)]

    assert await verify([*LEDGER, *pending], database_url) == Verdict(303, 300, 300, duplicates=0, lost=0)


async def test_a_reading_sent_twice_and_acknowledged_once_is_acknowledged(store: Store, database_url: str) -> None:
    repeated = [entry(0, acknowledged=False), entry(0)]

    assert await verify(repeated, database_url) == Verdict(3, 3, 0, duplicates=0, lost=3)
    await store.write(readings_of(repeated[:1]))
    assert await verify(repeated, database_url) == Verdict(3, 3, 3, duplicates=0, lost=0)


async def test_an_empty_ledger_is_right(database_url: str) -> None:
    assert await verify([], database_url) == Verdict(0, 0, 0, 0, 0)


async def test_a_hundred_thousand_readings_are_verified_in_seconds(store: Store, database_url: str) -> None:
    entries = [entry(number, f"sim-{device:05d}") for number in range(667) for device in range(50)]
    rows = readings_of(entries)
    for first in range(0, len(rows), 10_000):
        await store.write(rows[first : first + 10_000])
    began = time.monotonic()

    verdict = await verify(entries, database_url)

    assert verdict == Verdict(len(rows), len(rows), len(rows), duplicates=0, lost=0)
    assert time.monotonic() - began < 10


async def test_a_database_without_the_hubs_tables_is_told(empty_database_url: str) -> None:
    with pytest.raises(BadArgumentError, match=r"--database-url: .*does not exist"):
        await verify(LEDGER, empty_database_url)
