"""Two values of one series at one time: told apart from a repeat, and the one that was chosen stays, in rollups too."""

import time
from pathlib import Path
from typing import Any

import pytest

from storage.engine import RawConnection
from storage.leaves import Leaves
from storage.reading import Reading
from storage.rollups import advance, take_dirty
from storage.settings import StorageSettings
from storage.store import Store

DAY_US = 86_400_000_000
NOW = time.time_ns() // 1000 - 3_600_000_000


async def stored(sql: RawConnection, table: str = "readings") -> list[Any]:
    return [row["value"] for row in await sql.fetch(f"SELECT value FROM {table} ORDER BY ts")]


@pytest.fixture(params=["first", "last"])
def wins(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def opened(url: str, directory: Path, wins: str) -> Store:
    settings = {"database_url": url, "same_time": wins, "maintenance_every_s": 3600.0}
    return Store(StorageSettings.model_validate(settings), directory)


@pytest.mark.parametrize("values", [(1.0, 1.0, 2.0, 3.0), ("on", "on", "off", "idle")], ids=["numbers", "texts"])
@pytest.mark.parametrize("batch", [1, 4])
async def test_it_is_counted_apart_and_the_first_or_the_last_stays(
    database_url: str, sql: RawConnection, tmp_path: Path, wins: str, values: tuple[float | str, ...], batch: int
) -> None:
    """In one batch, and in batches after one another."""
    store = opened(database_url, tmp_path, wins)
    await store.start()
    readings = [Reading("d", "m", NOW, value) for value in values] + [Reading("d", "m", NOW + 1, values[0])]

    for at in range(0, len(readings), batch):
        await store.write(readings[at : at + batch])

    expected = [values[0] if wins == "first" else values[-1], values[0]]
    assert expected == await stored(sql, "readings_text" if isinstance(values[0], str) else "readings")
    counters = store.counters
    assert 2 == counters.rows_stored
    assert (1, 2) == (counters.rows_duplicate, counters.rows_conflicting) or (wins == "last" and batch == 4)
    assert 3 == counters.rows_duplicate + counters.rows_conflicting
    await store.close()


async def test_rollups_tell_the_value_that_stayed(
    database_url: str, sql: RawConnection, tmp_path: Path, wins: str
) -> None:
    """The hour was rolled when the other value came, hours later, as after a restart of the hub."""
    for value in (1.0, 5.0):
        store = opened(database_url, tmp_path, wins)
        await store.start()
        await store.write([Reading("d", "m", NOW - 5 * 3_600_000_000, value)])
        await store.close()
        await advance(sql, Leaves(DAY_US), 30.0)
        await take_dirty(sql, Leaves(DAY_US))

    expected = [1.0 if wins == "first" else 5.0]
    assert expected == await stored(sql)
    for table in ("rollup_minute", "rollup_hour"):
        assert expected == [row["last"] for row in await sql.fetch(f"SELECT last FROM {table}")]


async def test_many_conflicts_beside_new_rows_and_repeats_are_counted_exactly(
    database_url: str, sql: RawConnection, tmp_path: Path, wins: str
) -> None:
    store = opened(database_url, tmp_path, wins)
    await store.start()
    await store.write([Reading(f"d{at % 7}", "m", NOW - at * DAY_US // 300, float(at)) for at in range(3_000)])
    again = [Reading(f"d{at % 7}", "m", NOW - at * DAY_US // 300, float(at + (at % 3 == 0))) for at in range(4_000)]

    await store.write(again)

    assert (2_000, 1_000) == (store.counters.rows_duplicate, store.counters.rows_conflicting)
    assert 4_000 == await sql.fetchval("SELECT count(*) FROM readings")
    changed = (
        sum(range(3_000)) + (1_000 if wins == "last" else 0) + sum(at + (at % 3 == 0) for at in range(3_000, 4_000))
    )
    assert changed == await sql.fetchval("SELECT sum(value) FROM readings")
    await store.close()
