"""Deleting and renaming beside hubs that write: no reading without a series, none under a name that is not its own."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from storage.changes import Change, ChangeError, delete, followed, rename
from storage.device_state import DeviceState
from storage.engine import RawConnection
from storage.leaves import Leaves
from storage.reading import Reading
from storage.rollups import advance, take_dirty
from storage.settings import StorageSettings
from storage.spool import SPOOL_FILE, Spool
from storage.store import Store
from tests.integration.storage.test_rollups import differences
from tests.support.waiting import wait_until

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
NOW = time.time_ns() // 1000
DEVICES = [f"d{number}" for number in range(6)]
HELD = """
    SELECT devices.name, value FROM readings LEFT JOIN series ON series.id = series_id
      LEFT JOIN devices ON devices.id = device_id
"""


def quiet(_: str) -> None:
    """Take progress."""


def opened(url: str, directory: Path, **settings: object) -> Store:
    return Store(
        StorageSettings.model_validate({"database_url": url, "maintenance_every_s": 3600.0, **settings}), directory
    )


async def held(sql: RawConnection) -> dict[str | None, list[float]]:
    """Return the values stored by device; None: of no device."""
    found: dict[str | None, list[float]] = defaultdict(list)
    for name, value in await sql.fetch(HELD):
        found[name].append(value)
    return found


class Load:
    """Writes a reading of each device in turn; what was acknowledged is in `sent`."""

    def __init__(self, stores: list[Store]) -> None:
        self._stores = stores
        self.sent = 0

    async def run(self) -> None:
        while True:
            turn = self.sent
            self.sent += 1
            await self._stores[turn % len(self._stores)].write(
                [Reading(device, "m", NOW + turn, float(turn)) for device in DEVICES]
            )
            await asyncio.sleep(0)

    async def goes_on(self) -> None:
        until = self.sent + 40
        await wait_until(lambda: self.sent > until, 20)


@asynccontextmanager
async def loaded(url: str, directory: Path) -> AsyncIterator[Load]:
    stores = [opened(url, directory / name, flush_age_s=0.005) for name in "ab"]
    for store in stores:
        await store.start()
    load = Load(stores)
    tasks = [asyncio.create_task(load.run()) for _ in range(8)]
    await wait_until(lambda: load.sent > 50, 20)
    yield load
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for store in stores:
        await store.close()
        assert store.counters.rows_refused == 0


async def test_under_load_nothing_acknowledged_is_orphaned_or_lost(
    database_url: str, sql: RawConnection, tmp_path: Path
) -> None:
    changer = await asyncpg.connect(database_url)
    begun: dict[str, int] = {}
    async with loaded(database_url, tmp_path) as load:
        for _ in range(5):
            for device in ("d1", "d2"):
                await load.goes_on()
                await delete(changer, Change(device), quiet)
                begun[device] = load.sent
        await load.goes_on()
    await changer.close()

    found = await held(sql)
    assert None not in found, "rows under the number of a series that is gone"
    for device in DEVICES:
        values = sorted(found[device])
        first = begun.get(device, 0)
        assert set(range(first, load.sent)) <= set(map(int, values))
        assert len(values) == len(set(values))


async def test_under_load_a_renamed_device_leaves_no_reading_under_a_wrong_name(
    database_url: str, sql: RawConnection, tmp_path: Path
) -> None:
    changer = await asyncpg.connect(database_url)
    begun: list[tuple[int, int]] = []
    async with loaded(database_url, tmp_path) as load:
        for number in range(5):
            await load.goes_on()
            before = load.sent
            await rename(changer, Change("d1", new_device=f"was-{number}"))
            begun.append((before, load.sent))
        await load.goes_on()
    await changer.close()

    found = await held(sql)
    assert None not in found
    parts = [sorted(map(int, found[name])) for name in (*(f"was-{number}" for number in range(5)), "d1")]
    assert sorted(value for part in parts for value in part) == list(range(load.sent))
    for (_, after), part in zip(begun, parts[1:], strict=False):
        assert min(part) >= after - 60, "only what was under way when the name changed"
    for (_, after), part in zip(begun, parts, strict=False):
        assert max(part) < after
    for device in DEVICES[2:]:
        assert sorted(found[device]) == list(range(load.sent))


async def test_what_waits_in_a_spool_follows_the_changes_made_since(
    database_url: str, sql: RawConnection, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / SPOOL_FILE, 1 << 20)
    await spool.open()
    names = ("gone", "old", "kept", "ranged")
    await spool.put([Reading(name, "m", NOW + at, float(at)) for name in names for at in range(4)], [])
    await spool.close()
    await sql.execute("INSERT INTO devices (name) VALUES ('gone'), ('old'), ('ranged')")
    await delete(sql, Change("gone"), quiet)
    await rename(sql, Change("old", new_device="new"))
    await delete(sql, Change("ranged", from_us=NOW + 1, to_us=NOW + 3), quiet)

    store = opened(database_url, tmp_path)
    await store.start()
    await wait_until(lambda: store.spool.batches == 0, 20)
    await store.write([Reading("old", "m", NOW, 9.0)])
    await store.close()

    found = {name: sorted(values) for name, values in (await held(sql)).items()}
    every = [0.0, 1.0, 2.0, 3.0]
    assert found == {"new": every, "kept": every, "ranged": [0.0, 3.0], "old": [9.0]}


@pytest.mark.parametrize(("start", "end"), [(HOUR_US, 3 * HOUR_US), (90 * 60_000_000 + 1, 4 * HOUR_US - 7), (0, 10)])
async def test_a_deleted_range_leaves_rollups_of_what_is_left(
    database_url: str, sql: RawConnection, tmp_path: Path, start: int, end: int
) -> None:
    begin = (NOW - 2 * DAY_US) // HOUR_US * HOUR_US
    store = opened(database_url, tmp_path)
    await store.start()
    await store.write([Reading(name, "m", begin + at * 17_000_000, float(at)) for name in "ab" for at in range(2_000)])
    await store.close()
    await advance(sql, Leaves(DAY_US), 30.0)
    await take_dirty(sql, Leaves(DAY_US))

    removed = await delete(sql, Change("a", "m", begin + start, begin + end), quiet)
    await take_dirty(sql, Leaves(DAY_US))
    await take_dirty(sql, Leaves(DAY_US))

    assert removed == sum(start <= at * 17_000_000 < end for at in range(2_000))
    assert await sql.fetchval("SELECT count(*) FROM readings") == 4_000 - removed
    assert (0, 0) == await differences(sql)


async def test_a_deletion_takes_texts_rollups_marks_and_the_device_with_it(
    database_url: str, sql: RawConnection, tmp_path: Path
) -> None:
    store = opened(database_url, tmp_path)
    await store.start()
    await store.write([Reading("d", "m", NOW - DAY_US + at, float(at)) for at in range(10)])
    await store.write(
        [Reading("d", "word", NOW, "on"), Reading("d", "m", NOW, 1.0, "Cel"), Reading("e", "m", NOW, 1.0)]
    )
    await store.device_state(DeviceState("d", True, "online", NOW))
    await store.maintenance.round()
    await store.write([Reading("d", "m", NOW - DAY_US + 11, 1.0)])

    assert await delete(sql, Change("d"), quiet) == 13

    counts = {
        table: await sql.fetchval(f"SELECT count(*) FROM {table}")
        for table in ("readings", "readings_text", "rollup_hour", "rollup_dirty", "series", "devices", "deleted_series")
    }
    left = {"readings": 1, "series": 1, "devices": 1}
    assert left == {table: count for table, count in counts.items() if count}
    assert ["e"] == [device.name async for device in store.queries.devices()]
    await store.close()


async def test_an_interrupted_deletion_is_finished_by_maintenance(store: Store, sql: RawConnection) -> None:
    await store.write([Reading("d", "m", NOW, 1.0), Reading("e", "m", NOW, 1.0)])
    await sql.execute(
        "INSERT INTO deleted_series (id) SELECT id FROM series"
        " WHERE device_id = (SELECT id FROM devices WHERE name = 'd')"
    )
    await sql.execute("DELETE FROM series WHERE id IN (SELECT id FROM deleted_series)")

    await wait_until_round(store)

    assert await sql.fetchval("SELECT count(*) FROM readings") == 1
    assert await sql.fetchval("SELECT count(*) FROM deleted_series") == 0


async def wait_until_round(store: Store) -> None:
    async with asyncio.timeout(20):
        while not await store.maintenance.round():  # noqa: ASYNC110 - another round is at it
            await asyncio.sleep(0.02)


async def test_a_metric_is_renamed_and_a_name_that_is_taken_is_refused(store: Store, sql: RawConnection) -> None:
    await store.write(
        [Reading("d", "a", NOW, 1.0, "Cel"), Reading("d", "b", NOW, 2.0, "Cel"), Reading("e", "a", NOW, 3.0)]
    )

    await rename(sql, Change("d", "a", new_device="d", new_metric="c"))
    with pytest.raises(ChangeError, match=r"d has readings of b \[Cel\] already"):
        await rename(sql, Change("d", "c", new_device="d", new_metric="b"))
    await rename(sql, Change("e", new_device="d"))  # no series meets another
    with pytest.raises(ChangeError, match="nothing stored of device 'e'"):
        await rename(sql, Change("e", new_device="f"))
    await store.write([Reading("d", "a", NOW + 1, 4.0, "Cel")])

    found = await sql.fetch(
        "SELECT metric, unit, value FROM readings JOIN series ON series.id = series_id ORDER BY value"
    )
    assert [("c", "Cel", 1.0), ("b", "Cel", 2.0), ("a", "", 3.0), ("a", "Cel", 4.0)] == [tuple(row) for row in found]
    assert ["d"] == [device.name async for device in store.queries.devices()]


def test_changes_are_followed_in_their_order() -> None:
    readings = [Reading("a", "m", 5, 1.0), Reading("a", "n", 5, 2.0), Reading("b", "m", 5, 3.0)]
    states = [DeviceState("a", True, "online", 1)]

    kept, known = followed(
        readings,
        states,
        [
            Change("b"),
            Change("a", new_device="b"),
            Change("b", "n", new_device="b", new_metric="o"),
            Change("b", "m", 6, 9),
        ],
    )

    assert [Reading("b", "m", 5, 1.0), Reading("b", "o", 5, 2.0)] == kept
    assert [DeviceState("b", True, "online", 1)] == known
