"""A reading keeps the unit that it came with, whatever its series is sent with before, after or at the same time."""

import asyncio
import csv
import random
import time
from collections import defaultdict
from pathlib import Path

import pytest

from storage.engine import RawConnection
from storage.export import export
from storage.leaves import Leaves
from storage.queries.bucket_plan import DAY_US, HOUR_US, MINUTE_US
from storage.reading import Reading
from storage.rollups import advance, take_dirty
from storage.settings import StorageSettings
from storage.store import Store
from tests.support.waiting import wait_until

NOW = time.time_ns() // 1000
BEGIN = NOW - 3 * HOUR_US
# As a gateway's firmware changed what it sends: Celsius, Fahrenheit, Kelvin.
CHANGE = [
    Reading("d", "temp", BEGIN + at * MINUTE_US, value, unit)
    for at, (value, unit) in enumerate(((21.5, "Cel"), (21.6, "Cel"), (70.7, "[degF]"), (294.6, "K")))
]
SENDS = {
    "a change": CHANGE,
    "a unit appears": [Reading("d", "temp", BEGIN + at, 1.0 + at, unit) for at, unit in enumerate(("", "", "Cel"))],
    "a unit disappears": [Reading("d", "temp", BEGIN + at, 1.0 + at, unit) for at, unit in enumerate(("Cel", "", ""))],
    "two senders": [Reading("d", "temp", BEGIN + at, float(at), ("Cel", "degF")[at % 2]) for at in range(50)],
    "one time": [Reading("d", "temp", BEGIN, value, unit) for value, unit in ((21.5, "Cel"), (70.7, "degF"))],
    "late data": [*CHANGE[2:], *CHANGE[:2]],
    "texts": [Reading("d", "temp", BEGIN, "hot", ""), Reading("d", "temp", BEGIN, 1.5, "Cel"), *CHANGE[1:]],
}


async def everything(store: Store, rows: int = 10_000, *, newest_first: bool = False) -> list[Reading]:
    """Return what is stored of the series, page by page."""
    found: list[Reading] = []
    start, end = 0, NOW + DAY_US
    while True:
        page = await store.queries.page("d", "temp", start, end, rows=rows, newest_first=newest_first)
        found += page.readings()
        if page.next_us is None:
            return found
        start, end = (start, page.next_us) if newest_first else (page.next_us, end)


@pytest.mark.parametrize("kind", SENDS)
@pytest.mark.parametrize("rows", [1, 2, 10_000])
async def test_each_reading_is_told_with_its_unit(store: Store, kind: str, rows: int) -> None:
    sent = SENDS[kind]
    for reading in sent:
        await store.write([reading])

    assert sorted(sent, key=str) == sorted(await everything(store, rows), key=str)
    assert sorted(sent, key=str) == sorted(await everything(store, rows, newest_first=True), key=str)


async def test_units_of_one_batch_and_of_two_hubs_are_kept_apart(database_url: str, tmp_path: Path) -> None:
    rng = random.Random(7)
    sent = [Reading("d", "temp", BEGIN + at, float(at), rng.choice(("", "Cel", "degF", "K"))) for at in range(4_000)]
    hubs = [Store(StorageSettings(database_url=database_url, flush_rows=500), tmp_path / name) for name in "ab"]
    for hub in hubs:
        await hub.start()
    await asyncio.gather(*(hubs[at % 2].write(sent[at : at + 100]) for at in range(0, 4_000, 100)))

    assert sent == await everything(hubs[0], 333)
    for hub in hubs:
        await hub.close()


async def test_the_newest_has_its_own_unit_by_time_and_not_by_arrival(store: Store) -> None:
    for reading in SENDS["late data"]:
        await store.write([reading])

    assert [CHANGE[-1]] == [one async for one in store.queries.latest([("d", "temp")])]
    each = {one.unit: one.value async for one in store.queries.latest([("d", "temp")], each_unit=True)}
    assert {"Cel": 21.6, "[degF]": 70.7, "K": 294.6} == each


@pytest.mark.parametrize("width_us", [1_000_000, MINUTE_US, HOUR_US])
async def test_buckets_never_mix_units_from_readings_and_from_rollups(
    store: Store, sql: RawConnection, width_us: int
) -> None:
    """Two senders, one in Fahrenheit: a bucket over both would be of no unit."""
    sent = [Reading("d", "temp", BEGIN + at * 1_000_000, float(at), ("Cel", "degF")[at % 2]) for at in range(4_000)]
    await store.write(sent)
    await advance(sql, Leaves(DAY_US), 30.0)
    await take_dirty(sql, Leaves(DAY_US))
    expected: dict[tuple[str, int], list[float]] = defaultdict(list)
    for at, reading in enumerate(sent):
        expected[reading.unit, reading.time_us // width_us * width_us].append(float(at))

    start = BEGIN // HOUR_US * HOUR_US

    asked = store.queries.buckets([("d", "temp")], start, start + 3 * HOUR_US, width_us=width_us)
    found = [one async for one in asked]

    shown = {(one.series.unit, bucket.time_us): bucket for one in found for bucket in one.buckets()}
    assert {key: len(values) for key, values in expected.items()} == {key: one.count for key, one in shown.items()}
    assert {key: sum(values) / len(values) for key, values in expected.items()} == pytest.approx(
        {key: one.avg for key, one in shown.items()}
    )


async def test_the_catalogue_names_all_units(store: Store) -> None:
    await store.write([*CHANGE, Reading("e", "temp", BEGIN, 1.0)])

    assert [("temp", 2, ("Cel", "K", "[degF]"))] == [
        (one.name, one.series, tuple(sorted(one.units))) async for one in store.queries.metrics()
    ]
    assert [1, 1] == [one.series async for one in store.queries.devices()]
    assert {"Cel", "K", "[degF]"} == {one.unit async for one in store.queries.series("d")}
    assert [] == [one async for one in store.queries.series("d", after="temp")]


async def test_an_export_has_the_unit_of_each_row(store: Store, tmp_path: Path) -> None:
    await store.write(CHANGE)
    await wait_until(lambda: store.counters.rows_stored == 4)

    await export(store.queries.pages("d", "temp", 0, NOW), tmp_path / "out.csv", "csv")

    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert [("21.5", "Cel"), ("21.6", "Cel"), ("70.7", "[degF]"), ("294.6", "K")] == [
        (row["value"], row["unit"]) for row in rows
    ]
