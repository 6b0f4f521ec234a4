"""No batch blocks those behind it: what cannot be stored costs its own rows, in the live stream and at the spool's head."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from storage.device_state import DeviceState
from storage.engine import RawConnection
from storage.partitions import instant
from storage.quarantine import QuarantinedPayload
from storage.reading import Reading
from storage.settings import StorageSettings
from storage.spool import SPOOL_FILE, Spool
from storage.store import Store
from tests.support.waiting import wait_until

NOW = time.time_ns() // 1000
DAY = 86_400_000_000
QUICK = {"write_timeout_s": 1.0, "spool_after_s": 0.3, "set_aside_s": 3600.0}

GOOD = [Reading("good", f"m{number}", NOW, float(number)) for number in range(40)]
OLD = NOW - 5 * DAY
BEHIND = [Reading("behind", "m", NOW + number, 1.0) for number in range(3)]


@asynccontextmanager
async def running(url: str, data_dir: Path, **settings: object) -> AsyncIterator[Store]:
    store = Store(StorageSettings.model_validate({"database_url": url, **QUICK, **settings}), data_dir)
    await store.start()
    try:
        yield store
    finally:
        await store.close()


async def spooled(data_dir: Path, *batches: list[Reading]) -> None:
    """Leave batches in the spool, as a hub does whose database was away when it stopped."""
    spool = Spool(data_dir / SPOOL_FILE, 1 << 30)
    await spool.open()
    for batch in batches:
        await spool.put(batch, [])
    await spool.close()


async def values(sql: RawConnection, device: str, since_us: int = 0) -> list[float]:
    """Return what is stored; `since_us` keeps the question from leaves that cannot be read."""
    rows = await sql.fetch(
        "SELECT value FROM readings JOIN series ON series.id = series_id JOIN devices ON devices.id = device_id"
        f" WHERE devices.name = $1 AND ts >= '{instant(since_us).isoformat()}' ORDER BY value",
        device,
    )
    return [row["value"] for row in rows]


async def quarantined(sql: RawConnection) -> list[tuple[str, str]]:
    return [tuple(row) for row in await sql.fetch("SELECT topic, reason FROM quarantine ORDER BY topic, reason")]


async def leaf_of(sql: RawConnection, time_us: int) -> str:
    """Make a day's leaf by hand, as an operator may; return its name."""
    day = instant(time_us - time_us % DAY)
    name = f"readings_{day:%Y%m%d}"
    await sql.execute(
        f"CREATE TABLE {name} PARTITION OF readings"
        f" FOR VALUES FROM ('{day.isoformat()}') TO ('{instant(time_us - time_us % DAY + DAY).isoformat()}')"
    )
    return name


async def test_five_years_of_days_in_one_message_are_stored(store: Store, sql: RawConnection) -> None:
    """With a bounded number of partitions, whatever the number of days."""
    days = [Reading("meter", "kwh", NOW - day * DAY, float(day)) for day in range(5 * 365)]

    await store.write(days)

    assert await values(sql, "meter") == [float(day) for day in range(5 * 365)]
    leaves = await sql.fetchval("SELECT count(*) FROM pg_inherits WHERE inhparent = 'readings'::regclass")
    assert leaves < 220


async def test_partitions_are_made_one_by_one_and_kept_by_a_store_that_is_stopped(
    database_url: str, sql: RawConnection, tmp_path: Path
) -> None:
    """Eleven days with a thousand partitions of an hour: more than one write time-out may take."""
    hours = [Reading("meter", "kwh", NOW - hour * DAY // 24, float(hour)) for hour in range(90)]
    hours += [Reading("meter", "kwh", NOW - year * 366 * DAY, 1000.0 + year) for year in range(1, 50)]
    made = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'readings'::regclass"
    async with running(database_url, tmp_path, write_timeout_s=0.2, partition_width="PT1H") as store:
        future = store.write(hours)
        await wait_until(lambda: store.health()["database"] == "up")
        async with asyncio.timeout(60):
            await future
    assert await sql.fetchval(made) > 120
    assert len(await values(sql, "meter")) == len(hours)


async def test_a_batch_of_too_many_partitions_loses_those_beyond_to_quarantine(
    database_url: str, sql: RawConnection, tmp_path: Path
) -> None:
    days = [Reading("meter", "kwh", NOW - day * DAY, float(day)) for day in range(30)]
    async with running(database_url, tmp_path, partitions_a_batch=10) as store:
        await store.write(days)
        await store.write(BEHIND)

        assert store.counters.rows_without_partition == 30 - len(await values(sql, "meter"))
    stored = await values(sql, "meter")
    assert stored == [float(day) for day in range(len(stored))], "the newest are stored"
    assert 10 <= len(stored) <= 13  # maintenance makes those of today and after
    assert await quarantined(sql) == [("reading:meter/kwh", "too_many_partitions")] * (30 - len(stored))
    assert await values(sql, "behind") == [1.0] * 3


CHECK = "ALTER TABLE readings ADD CONSTRAINT tame CHECK (value <> 13)"
TRIGGER = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF new.value = 13 THEN RAISE EXCEPTION 'thirteen is unlucky'; END IF;
        RETURN new;
    END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON readings FOR EACH ROW EXECUTE FUNCTION refuse()
"""
DIVIDES = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM 1 / (new.value::int - 13);
        RETURN new;
    END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON readings FOR EACH ROW EXECUTE FUNCTION refuse()
"""


@pytest.mark.parametrize("rule", [CHECK, TRIGGER, DIVIDES], ids=["constraint", "raise", "division by zero"])
@pytest.mark.parametrize("way", ["live", "spool"])
async def test_rows_that_a_rule_of_the_operator_refuses_are_quarantined_alone(
    database_url: str, sql: RawConnection, tmp_path: Path, rule: str, way: str
) -> None:
    await sql.execute(rule)
    if way == "spool":
        await spooled(tmp_path, GOOD, BEHIND)
    async with running(database_url, tmp_path) as store:
        if way == "live":
            await asyncio.gather(store.write(GOOD), store.write(BEHIND))
        else:
            await wait_until(lambda: store.spool.batches == 0, 20)
        assert store.health()["ok"]
    assert await values(sql, "good") == [float(number) for number in range(40) if number != 13]
    assert await values(sql, "behind") == [1.0] * 3
    assert await quarantined(sql) == [("reading:good/m13", "refused")]


async def test_a_series_that_is_refused_costs_its_own_readings(
    database_url: str, sql: RawConnection, tmp_path: Path
) -> None:
    await sql.execute("ALTER TABLE series ADD CONSTRAINT dull CHECK (metric <> 'm13')")
    async with running(database_url, tmp_path) as store:
        await store.write([*GOOD, Reading("good", "m13", NOW + 1, 1.0)])
        await store.write(BEHIND)
    assert len(await values(sql, "good")) == 39
    assert await values(sql, "behind") == [1.0] * 3
    assert await quarantined(sql) == [("reading:good/m13", "refused")] * 2


async def test_a_series_that_is_refused_is_not_lost_where_few_series_are_remembered(
    database_url: str, sql: RawConnection, tmp_path: Path
) -> None:
    await sql.execute("ALTER TABLE readings ADD CONSTRAINT tame CHECK (value <> 13)")
    many = [Reading("d", f"m{number}", NOW, float(number)) for number in range(1_500)]
    async with running(database_url, tmp_path, series_cached=1_000) as store:
        await store.write(many)
    assert len(await values(sql, "d")) == 1_499
    assert await quarantined(sql) == [("reading:d/m13", "refused")]


async def test_states_that_cannot_be_stored_are_quarantined_and_the_others_stored(
    store: Store, sql: RawConnection
) -> None:
    """Their time comes from the device too; one beyond Python's and Postgres's range, and a name that is no text."""
    good = DeviceState("good", True, "online", NOW)
    bad = [DeviceState("late", False, "lost", 10**20), DeviceState("nul\0", False, "lost", NOW)]

    await asyncio.gather(*(store.device_state(state) for state in (*bad, good)))
    await store.write(BEHIND)

    assert [row["name"] for row in await sql.fetch("SELECT name FROM devices ORDER BY name")] == ["behind", "good"]
    assert [topic for topic, _ in await quarantined(sql)] == ["state:late", "state:nul\ufffd"]


async def test_a_text_that_the_servers_encoding_lacks_costs_itself(postgres_server: object, tmp_path: Path) -> None:
    """A database in LATIN1 has no euro sign."""
    server_url: str = postgres_server.url  # type: ignore[attr-defined]
    admin = await asyncpg.connect(server_url)
    await admin.execute("DROP DATABASE IF EXISTS latin")
    await admin.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    url = server_url.replace("/postgres?", "/latin?")
    texts = [Reading("d", f"m{number}", NOW, "5 €" if number == 3 else "5 £") for number in range(9)]
    async with running(url, tmp_path) as store:
        await store.write([*texts, Reading("€", "m", NOW, 1.0)])
        await store.write(BEHIND)
    sql = await asyncpg.connect(url)
    assert await sql.fetchval("SELECT count(*) FROM readings_text") == 8
    assert await values(sql, "behind") == [1.0] * 3
    assert await sql.fetchval("SELECT count(*) FROM quarantine") == 2
    await sql.close()
    await admin.execute("DROP DATABASE latin WITH (FORCE)")
    await admin.close()


Hindrance = Callable[[RawConnection, str], "asyncio.Future[None]"]
LOCK = "BEGIN; LOCK TABLE {leaf} IN ACCESS EXCLUSIVE MODE"
UNLOCK = "ROLLBACK"
HANG = """
    CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(30); RETURN new; END $$;
    CREATE TRIGGER hang BEFORE INSERT ON {leaf} FOR EACH ROW EXECUTE FUNCTION hang()
"""
NO_HANG = "DROP TRIGGER hang ON {leaf}"
MISLAID = """
    CREATE FUNCTION mislay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM FROM nowhere; RETURN new; END $$;
    CREATE TRIGGER mislay BEFORE INSERT ON {leaf} FOR EACH ROW EXECUTE FUNCTION mislay()
"""
FOUND = "DROP TRIGGER mislay ON {leaf}"
HINDRANCES = pytest.mark.parametrize(
    ("hinder", "free"),
    [(LOCK, UNLOCK), (HANG, NO_HANG), (MISLAID, FOUND)],
    ids=["a locked leaf", "a trigger that hangs", "a trigger whose table is gone"],
)


@HINDRANCES
@pytest.mark.parametrize("way", ["live", "spool"])
async def test_readings_of_a_leaf_that_fails_wait_in_the_spool_and_all_others_are_stored(
    database_url: str, sql: RawConnection, tmp_path: Path, hinder: str, free: str, way: str
) -> None:
    leaf = await leaf_of(sql, OLD)
    await sql.execute(hinder.format(leaf=leaf))
    poison = [*GOOD, Reading("old", "m", OLD, 1.0), Reading("old", "m", OLD + 1, 2.0)]
    if way == "spool":
        await spooled(tmp_path, poison, BEHIND)
    async with running(database_url, tmp_path) as store:
        other = await asyncpg.connect(database_url)
        if way == "live":
            await asyncio.gather(store.write(poison), store.write(BEHIND))
        await wait_until(lambda: store.spool.rows == 2, 20)
        assert await values(other, "good", NOW) == [float(number) for number in range(40)]
        assert await values(other, "behind", NOW) == [1.0] * 3
        await wait_until(lambda: leaf in str(store.health()["detail"]), 10)
        assert store.health()["database"] == "up"
        await other.close()

        await sql.execute(free.format(leaf=leaf))
        await wait_until(lambda: store.spool.batches == 0 and store.health()["ok"], 30)
    assert await values(sql, "old") == [1.0, 2.0]
    assert await quarantined(sql) == []


async def test_what_waited_long_enough_goes_to_quarantine_but_for_rows_that_are_not_to_blame(
    database_url: str, sql: RawConnection, tmp_path: Path
) -> None:
    leaf = await leaf_of(sql, OLD)
    hang_at_three = HANG.replace("PERFORM pg_sleep(30);", "IF new.value = 3 THEN PERFORM pg_sleep(30); END IF;")
    await sql.execute(hang_at_three.format(leaf=leaf))
    old = [Reading("old", "m", OLD + number, float(number)) for number in range(8)]
    async with running(database_url, tmp_path, set_aside_s=1.0) as store:
        await store.write([*GOOD, *old])
        await wait_until(lambda: store.spool.batches == 0 and store.health()["ok"], 60)
    assert await values(sql, "old") == [0.0, 1.0, 2.0, 4.0, 5.0, 6.0, 7.0]
    assert await quarantined(sql) == [("reading:old/m", "unwritable")]
    detail = await sql.fetchval("SELECT detail FROM quarantine")
    assert "QueryCanceledError" in detail


async def test_without_a_spool_what_a_leaf_does_not_take_goes_to_quarantine(
    database_url: str, sql: RawConnection, tmp_path: Path
) -> None:
    leaf = await leaf_of(sql, OLD)
    await sql.execute(LOCK.format(leaf=leaf))
    async with running(database_url, tmp_path, spool_bytes=0) as store:
        await asyncio.gather(store.write([*GOOD, Reading("old", "m", OLD, 1.0)]), store.write(BEHIND))
        other = await asyncpg.connect(database_url)
        assert await quarantined(other) == [("reading:old/m", "unwritable")]
        assert len(await values(other, "good", NOW)) == 40
        await other.close()
    await sql.execute(UNLOCK)


async def test_what_the_quarantine_refuses_waits_in_the_spool(
    database_url: str, sql: RawConnection, tmp_path: Path
) -> None:
    await sql.execute("ALTER TABLE quarantine ADD CONSTRAINT short CHECK (length(payload) < 10)")
    async with running(database_url, tmp_path) as store:
        await store.quarantine(QuarantinedPayload("long", b"x" * 10, "decode", NOW))
        await store.quarantine(QuarantinedPayload("short", b"x", "decode", NOW))
        await store.write(BEHIND)
        assert store.spool.rows == 1
        assert await quarantined(sql) == [("short", "decode")]
        await sql.execute("ALTER TABLE quarantine DROP CONSTRAINT short")
        await wait_until(lambda: store.spool.batches == 0, 20)
    assert await quarantined(sql) == [("long", "decode"), ("short", "decode")]


async def test_a_partition_made_by_hand_takes_its_readings(store: Store, sql: RawConnection) -> None:
    """A month of the operator's, which reaches into where a leaf of ours would lie."""
    start = OLD - OLD % DAY - DAY // 2
    await sql.execute(
        f"CREATE TABLE by_hand PARTITION OF readings FOR VALUES FROM ('{instant(start).isoformat()}')"
        f" TO ('{instant(start + 2 * DAY).isoformat()}')"
    )

    await store.write([Reading("d", "m", start + hour * DAY // 24, float(hour)) for hour in range(-24, 80)])

    assert await values(sql, "d") == [float(hour) for hour in range(-24, 80)]
    assert await sql.fetchval("SELECT count(*) FROM by_hand") == 48


async def test_a_default_partition_and_what_it_holds_are_left_alone(store: Store, sql: RawConnection) -> None:
    await store.write(BEHIND)
    await sql.execute("CREATE TABLE rest PARTITION OF readings DEFAULT")

    await store.write([Reading("d", "m", OLD, 1.0)])
    await sql.execute("ALTER TABLE readings DETACH PARTITION rest; ALTER TABLE readings ATTACH PARTITION rest DEFAULT")
    await store.write([Reading("d", "m", OLD + 1, 2.0), Reading("d", "m", OLD - 9 * DAY, 3.0)])

    assert await values(sql, "d") == [1.0, 2.0, 3.0]


async def test_a_detached_leaf_is_made_again_under_another_name(store: Store, sql: RawConnection) -> None:
    await store.write([Reading("d", "m", OLD, 1.0)])
    leaf = f"readings_{instant(OLD):%Y%m%d}"
    await sql.execute(f"ALTER TABLE readings DETACH PARTITION {leaf}")

    await store.write([Reading("d", "m", OLD + 1, 2.0), *BEHIND])

    assert await values(sql, "d") == [2.0]
    assert await sql.fetchval(f"SELECT count(*) FROM {leaf}_2") == 1


async def test_a_partition_that_is_divided_further_and_has_a_hole_costs_its_own_readings(
    database_url: str, sql: RawConnection, tmp_path: Path
) -> None:
    """By the operator; a foreign table cannot be a partition of ours, because of the primary key."""
    day = OLD - OLD % DAY
    await sql.execute(
        f"CREATE TABLE by_series PARTITION OF readings FOR VALUES FROM ('{instant(day).isoformat()}')"
        f" TO ('{instant(day + DAY).isoformat()}') PARTITION BY RANGE (series_id);"
        "CREATE TABLE few PARTITION OF by_series FOR VALUES FROM (0) TO (41)"
    )
    async with running(database_url, tmp_path) as store:
        await store.write(GOOD)
        await store.write([*(one._replace(time_us=OLD) for one in GOOD), Reading("old", "m", OLD, 1.0)])
        await store.write(BEHIND)
    assert len(await values(sql, "good")) == 80
    assert await values(sql, "behind") == [1.0] * 3
    assert await quarantined(sql) == [("reading:old/m", "refused")]


async def test_a_batch_of_nothing_but_guilty_rows_ends(database_url: str, sql: RawConnection, tmp_path: Path) -> None:
    """Each is found alone, which takes longer than one write may."""
    await sql.execute(TRIGGER)
    bad = [Reading("bad", f"m{number}", NOW, 13.0) for number in range(600)]
    async with running(database_url, tmp_path, write_timeout_s=0.5) as store:
        await asyncio.gather(store.write(bad), store.write(BEHIND))
    assert await sql.fetchval("SELECT count(*) FROM quarantine") == 600
    payload = json.loads(await sql.fetchval("SELECT payload FROM quarantine LIMIT 1"))
    assert payload["value"] == 13.0


async def test_a_flood_of_payloads_that_nobody_reads_does_not_fill_the_disk(
    database_url: str, sql: RawConnection, tmp_path: Path
) -> None:
    """All of it is acknowledged and counted; a reading that the storage refuses has still room."""
    await sql.execute("ALTER TABLE readings ADD CONSTRAINT tame CHECK (value <> 13)")
    limit = 4 << 20
    async with running(database_url, tmp_path, quarantine_bytes=limit) as store:
        for at in range(0, 1_000, 100):
            await asyncio.gather(
                *(
                    store.quarantine(QuarantinedPayload("flood", random.randbytes(20_000), "decode", NOW + at + number))
                    for number in range(100)
                )
            )
        await store.write(GOOD)

        assert store.health()["quarantine_full"]
        assert store.health()["ok"], "readings are stored"
        assert store.counters.quarantine_dropped > 500
    size = "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'quarantine'::regclass"
    assert await sql.fetchval(size) < limit
    kept = await sql.fetchval("SELECT count(*) FROM quarantine WHERE topic = 'flood'")
    assert kept == 1_000 - store.counters.quarantine_dropped
    assert await sql.fetchval("SELECT topic FROM quarantine WHERE origin = 'storage'") == "reading:good/m13"
