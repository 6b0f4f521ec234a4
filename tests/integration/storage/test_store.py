"""The store on a real Postgres: each reading once, bad ones aside, futures in order, memory bounded."""

import asyncio
import math
import socket
import time
from pathlib import Path

import pytest

from storage.engine import RawConnection
from storage.errors import DatabaseSettingsError, StoreClosedError
from storage.quarantine import QuarantinedPayload
from storage.reading import Reading
from storage.settings import StorageSettings
from storage.store import Store
from tests.support.waiting import wait_until

NOW = time.time_ns() // 1000
DAY = 86_400_000_000

_STORED = """
    SELECT devices.name, metric, (extract(epoch FROM ts) * 1000000)::int8, value
      FROM {table} JOIN series ON series.id = series_id JOIN devices ON devices.id = device_id ORDER BY 1, 2, 3
"""


async def stored(sql: RawConnection, table: str = "readings") -> list[tuple[object, ...]]:
    return [tuple(row) for row in await sql.fetch(_STORED.format(table=table))]


async def test_readings_rest_with_their_values_times_and_kinds(store: Store, sql: RawConnection) -> None:
    await store.write(
        [
            Reading("press-7", "temperature", NOW, 21.5, "Cel"),
            Reading("press-7", "open", NOW, True),
            Reading("press-7", "state", NOW, "läuft"),
            Reading("press-7", "count", NOW, 2**60),
        ]
    )

    assert await stored(sql) == [
        ("press-7", "count", NOW, float(2**60)),
        ("press-7", "open", NOW, 1.0),
        ("press-7", "temperature", NOW, 21.5),
    ]
    assert await stored(sql, "readings_text") == [("press-7", "state", NOW, "läuft")]
    kinds = await sql.fetch("SELECT metric, kind, unit FROM series ORDER BY metric")
    assert [tuple(row) for row in kinds] == [
        ("count", "number", ""),
        ("open", "bool", ""),
        ("state", "text", ""),
        ("temperature", "number", "Cel"),
    ]


async def test_calls_of_one_batch_share_one_future(store: Store) -> None:
    first = store.write([Reading("d", "m", NOW, 1.0)])
    second = store.write([Reading("d", "m", NOW + 1, 1.0)])

    assert first is second
    await first
    assert store.write([Reading("d", "m", NOW + 2, 1.0)]) is not first


async def test_repeats_are_dropped_in_a_batch_across_batches_and_after_a_restart(
    store: Store, sql: RawConnection, database_url: str, tmp_path: Path
) -> None:
    readings = [Reading("d", "m", NOW + number, float(number)) for number in range(100)]
    await store.write([*readings, *readings])
    await store.write([reading._replace(value=-1.0) for reading in readings])
    other = Store(StorageSettings(database_url=database_url), tmp_path / "other")
    await other.start()
    await other.write([*readings, Reading("d", "m", NOW + 100, 100.0)])
    await other.close()

    assert [row[3] for row in await stored(sql)] == [float(number) for number in range(101)]
    assert store.counters.rows_stored == 100
    assert (store.counters.rows_duplicate, store.counters.rows_conflicting) == (100, 100)
    assert other.counters.rows_stored == 1


async def test_a_metric_that_changes_its_type_goes_to_the_table_of_each_value(store: Store, sql: RawConnection) -> None:
    await store.write([Reading("d", "m", NOW, 1.0), Reading("d", "m", NOW, "off"), Reading("d", "n", NOW, 3.0)])

    assert await stored(sql) == [("d", "m", NOW, 1.0), ("d", "n", NOW, 3.0)]
    assert await stored(sql, "readings_text") == [("d", "m", NOW, "off")]


async def test_bad_readings_are_quarantined_and_the_good_ones_beside_them_stored(
    store: Store, sql: RawConnection
) -> None:
    good = [Reading("d", f"m{number}", NOW, 1.0) for number in range(50)]
    bad = [
        Reading("d", "huge", NOW, 10**400),
        Reading("d", "nul", NOW, "\0"),
        Reading("d\0", "m", NOW, 1.0),
        Reading("d", "time", 10**30, 1.0),
    ]

    await store.write([*good[:25], *bad, *good[25:]])

    assert len(await stored(sql)) == 50
    reasons = await sql.fetch("SELECT reason FROM quarantine ORDER BY reason")
    assert [row[0] for row in reasons] == ["clock", "name", "value", "value"]


async def test_rows_that_the_database_refuses_are_found_by_halving(store: Store, sql: RawConnection) -> None:
    await sql.execute("ALTER TABLE readings ADD CONSTRAINT tame CHECK (value < 1000)")

    await store.write([Reading("d", f"m{number}", NOW, 5000.0 if number in {3, 77} else 1.0) for number in range(100)])

    assert len(await stored(sql)) == 98
    rows = await sql.fetch("SELECT topic, reason FROM quarantine ORDER BY topic")
    assert [tuple(row) for row in rows] == [("reading:d/m3", "refused"), ("reading:d/m77", "refused")]


async def test_a_quarantined_payload_keeps_its_bytes(store: Store, sql: RawConnection) -> None:
    item = QuarantinedPayload("devices/x\0/telemetry", b"\0\xff", "decode", NOW, "not JSON at byte 0")
    await store.quarantine(item)
    await store.quarantine(item)

    rows = await sql.fetch("SELECT topic, payload, reason, detail FROM quarantine")
    assert [tuple(row) for row in rows] == [("devices/x\ufffd/telemetry", b"\0\xff", "decode", "not JSON at byte 0")]


async def test_a_reading_outside_all_partitions_makes_its_own(store: Store, sql: RawConnection) -> None:
    await store.write(
        [Reading("d", "m", NOW - 400 * DAY, 1.0), Reading("d", "m", 0, math.inf), Reading("d", "m", NOW, 3.0)]
    )

    assert [row[3] for row in await stored(sql)] == [math.inf, 1.0, 3.0]
    leaves = await sql.fetch("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'readings'::regclass")
    assert "readings_19700101" in {row[0] for row in leaves}


async def test_a_leaf_dropped_by_another_hub_is_made_again(store: Store, sql: RawConnection) -> None:
    await store.write([Reading("d", "m", NOW, 1.0)])
    leaf = await sql.fetchval("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'readings'::regclass")
    await sql.execute(f"DROP TABLE {leaf}")

    await store.write([Reading("d", "m", NOW + 1, 2.0)])

    assert [row[3] for row in await stored(sql)] == [2.0]


async def test_each_unit_is_a_series_and_one_device(store: Store, sql: RawConnection) -> None:
    await store.write([Reading("d", "m", NOW, 1.0), Reading("d", "m", NOW + 1, 1.0, "Cel")])
    await store.write([Reading("d", "m", NOW + 2, 1.0)])

    found = await sql.fetch("SELECT metric, unit FROM series ORDER BY id")
    assert [("m", ""), ("m", "Cel")] == [tuple(row) for row in found]
    assert 1 == await sql.fetchval("SELECT count(*) FROM devices")


async def test_futures_resolve_in_order(database_url: str, tmp_path: Path) -> None:
    store = Store(StorageSettings(database_url=database_url, flush_rows=10, writers=4), tmp_path)
    await store.start()
    order: list[int] = []
    futures = []
    for number in range(200):
        rows = 1000 if number % 7 == 0 else 10
        future = store.write([Reading(f"d{number}", f"m{row}", NOW, 1.0) for row in range(rows)])
        future.add_done_callback(lambda _, number=number: order.append(number))  # type: ignore[misc]
        futures.append(future)
    await asyncio.gather(*futures)
    await store.close()

    assert order == list(range(200))


async def test_it_starts_without_a_database_fills_up_and_writes_all_when_it_comes(
    database_url: str, tmp_path: Path, sql: RawConnection
) -> None:
    """The server is reached through a socket that is listening only later."""
    path = tmp_path / ".s.PGSQL.5432"
    away = f"postgresql://postgres@/{database_url.rpartition('/')[0] and _name(database_url)}?host={tmp_path}"
    store = Store(StorageSettings(database_url=away, pending_rows=1000), tmp_path / "hub")
    await store.start()
    written = 0
    futures = []
    while not store.full:
        futures.append(store.write([Reading("d", "m", NOW + written, 1.0)]))
        written += 1
    assert written == 1000
    await wait_until(lambda: "Error" in str(store.health()["detail"]))
    assert store.health()["ok"] is False
    assert not any(future.done() for future in futures)

    real = Path(_host(database_url)) / ".s.PGSQL.5432"
    path.symlink_to(real)
    await store.wait_not_full()
    await asyncio.gather(*futures)

    assert store.health()["ok"] is True
    assert len(await stored(sql)) == 1000
    await store.close()


def _host(url: str) -> str:
    return url.partition("?host=")[2]


def _name(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


async def test_close_writes_what_is_left(database_url: str, tmp_path: Path, sql: RawConnection) -> None:
    store = Store(StorageSettings(database_url=database_url, flush_age_s=10.0), tmp_path)
    await store.start()
    future = store.write([Reading("d", "m", NOW, 1.0)])
    await store.close()

    assert future.done()
    assert len(await stored(sql)) == 1
    with pytest.raises(StoreClosedError):
        store.write([Reading("d", "m", NOW, 1.0)])


async def test_a_terminated_backend_loses_nothing(store: Store, sql: RawConnection) -> None:
    await store.write([Reading("d", "m", NOW, 1.0)])
    await sql.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'telemetry-hub'")

    await store.write([Reading("d", "m", NOW + 1, 2.0)])

    assert [row[3] for row in await stored(sql)] == [1.0, 2.0]


async def test_it_installs_and_starts_the_embedded_server(tmp_path: Path) -> None:
    store = Store(StorageSettings(), tmp_path)
    await store.start()
    await wait_until(lambda: store.health()["ok"], 30)
    await store.write([Reading("d", "m", NOW, 1.0)])
    assert store.health()["ok"] is True
    await store.close()

    with socket.socket(socket.AF_UNIX) as probe, pytest.raises((FileNotFoundError, ConnectionRefusedError)):
        probe.connect(str(tmp_path / "postgres" / ".s.PGSQL.5432"))


@pytest.mark.parametrize("url", ["mysql://localhost/x", "nonsense", "postgresql+psycopg2://u:secret@h/d"])
async def test_an_unusable_url_is_refused_at_once_without_repeating_it(url: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseSettingsError) as caught:
        Store(StorageSettings(database_url=url), tmp_path)

    assert "storage.database_url" in str(caught.value)
    assert "secret" not in str(caught.value)
