"""Retention drops what is too old, one leaf a round, and nothing while a clock may be wrong."""

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from storage.clock import DatabaseClock
from storage.engine import RawConnection
from storage.leaves import Leaves
from storage.reading import Reading
from storage.retention import Retention
from storage.rollups import advance, take_dirty
from storage.settings import StorageSettings
from storage.store import Store
from tests.support.waiting import wait_until

DAY_US = 86_400_000_000


class Leap(DatabaseClock):
    """Both clocks, the hub's and the database's, so many days ahead."""

    def __init__(self, days: int) -> None:
        super().__init__()
        self._leap_us = days * DAY_US

    def database_us(self) -> int:
        return super().database_us() + self._leap_us

    @property
    def offset_s(self) -> float:
        return 0.0


@pytest.fixture
async def store(database_url: str, tmp_path: Path) -> AsyncIterator[Store]:
    """A store that leaves maintenance to the test."""
    store = Store(StorageSettings(database_url=database_url, maintenance_every_s=3600), tmp_path)
    await store.start()
    await wait_until(lambda: store.maintenance.rounds == 1, 20)
    yield store
    await store.close()


async def rolled(sql: RawConnection, store: Store, ages: list[float]) -> None:
    """Store a reading of each age in days and roll all up."""
    now_us = time.time_ns() // 1000
    await store.write([Reading("d", "m", now_us - int(age * DAY_US), age) for age in ages])
    await advance(sql, Leaves(DAY_US), 30.0)
    await take_dirty(sql, Leaves(DAY_US))


def kept(days: float, clock: DatabaseClock | None = None) -> Retention:
    return Retention(StorageSettings(keep_readings=timedelta(days=days)), clock or DatabaseClock())


async def test_a_round_drops_the_oldest_leaf_only(store: Store, sql: RawConnection) -> None:
    await rolled(sql, store, [40, 35, 31, 20, 5, 0.1])
    retention = kept(30)

    left = []
    for _ in range(4):
        await retention.round(sql, Leaves(DAY_US))
        left.append(await sql.fetchval("SELECT count(*) FROM readings"))

    assert left[:2] == [5, 4]
    assert left[3] in {3, 4}  # the one of 31 days ago may share its day with younger ones
    assert retention.held is None
    assert retention.dropped >= 2


async def test_nothing_is_dropped_while_the_hubs_clock_and_the_databases_disagree(
    store: Store, sql: RawConnection
) -> None:
    await rolled(sql, store, [40, 20, 5, 0.1])
    clock = DatabaseClock()
    clock.note((time.time_ns() + 300 * 10**9) // 1000, *[time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000] * 2)
    retention = kept(30, clock)

    await retention.round(sql, Leaves(DAY_US))

    assert await sql.fetchval("SELECT count(*) FROM readings") == 4
    assert "300 s behind the database's" in (retention.held or "")


async def test_two_clocks_that_agree_and_are_wrong_drop_nothing(store: Store, sql: RawConnection) -> None:
    """One machine has one clock: with the embedded server the hub's and the database's are the same."""
    await rolled(sql, store, [25, 20, 5, 0.1])
    retention = kept(30, Leap(200))

    await retention.round(sql, Leaves(DAY_US))

    assert await sql.fetchval("SELECT count(*) FROM readings") == 4
    assert "no reading is stored of the last 24 hours" in (retention.held or "")


async def test_a_reading_with_the_wrong_clocks_time_is_no_proof(store: Store, sql: RawConnection) -> None:
    """The first reading without a time of its own has the wrong clock's; there are none before it."""
    await rolled(sql, store, [25, 20, 5, 0.1, -200])
    retention = kept(30, Leap(200))

    await retention.round(sql, Leaves(DAY_US))

    assert await sql.fetchval("SELECT count(*) FROM readings") == 5
    assert "has the clock jumped ahead?" in (retention.held or "")


@pytest.mark.parametrize("value", [1.0, "a text"])
async def test_a_plant_that_stood_still_keeps_its_readings_until_it_runs_again(
    store: Store, sql: RawConnection, value: float | str
) -> None:
    now_us = time.time_ns() // 1000
    await store.write([Reading("d", "m", now_us - age * DAY_US, value) for age in (45, 40, 10)])
    await take_dirty(sql, Leaves(DAY_US))
    retention = kept(30)
    count = "SELECT (SELECT count(*) FROM readings) + (SELECT count(*) FROM readings_text)"

    await retention.round(sql, Leaves(DAY_US))
    assert await sql.fetchval(count) == 3
    await store.write([Reading("other", "m", now_us, 1.0)])
    await retention.round(sql, Leaves(DAY_US))

    assert await sql.fetchval(count) == 3
    assert retention.held is None


async def test_a_leaf_that_is_not_rolled_is_not_dropped(store: Store, sql: RawConnection) -> None:
    now_us = time.time_ns() // 1000
    await store.write([Reading("d", "m", now_us - int(days * DAY_US), 1.0) for days in (4, 0.7, 0.1)])
    retention, leaves = kept(1), Leaves(DAY_US)

    await retention.round(sql, leaves)
    assert await sql.fetchval("SELECT count(*) FROM readings") == 3
    assert await take_dirty(sql, leaves) >= 1
    await retention.round(sql, leaves)

    assert await sql.fetchval("SELECT count(*) FROM readings") == 2
    dropped_to = "SELECT dropped_to <= now() - interval '1 day' FROM retention_state WHERE name = 'readings'"
    assert await sql.fetchval(dropped_to) is True
