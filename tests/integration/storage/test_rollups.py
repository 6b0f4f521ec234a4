"""Rollups equal what the readings say, whenever they came, whoever was killed, and stay when the readings go."""

import asyncio
import math
import random
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage.engine import RawConnection, lend
from storage.leaves import Leaves
from storage.maintenance import Maintenance
from storage.reading import Reading
from storage.rollups import advance, read_watermarks, take_dirty
from storage.settings import StorageSettings
from storage.store import Store
from tests.support.waiting import wait_until

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
QUIET = {"maintenance_every_s": 3600.0}

# What the rollups must say, computed at once from the readings before the watermarks.
_DIFFERENCE = """
    WITH expected AS (
         SELECT series_id, date_bin('{width}', ts, '2000-01-01 00:00+00') AS bucket, count(*)::int4,
                sum(value), min(value), max(value),
                (array_agg(value ORDER BY ts))[1], (array_agg(value ORDER BY ts DESC))[1]
           FROM readings
          WHERE ts < (SELECT rolled_to FROM rollup_state WHERE name = '{name}')
          GROUP BY 1, 2),
         found AS (SELECT * FROM rollup_{name})
    SELECT count(*) FROM ((SELECT * FROM expected EXCEPT SELECT * FROM found)
                          UNION ALL (SELECT * FROM found EXCEPT SELECT * FROM expected)) AS difference
"""


async def differences(sql: RawConnection) -> tuple[int, int]:
    minutes = await sql.fetchval(_DIFFERENCE.format(width="1 minute", name="minute"))
    hours = await sql.fetchval(_DIFFERENCE.format(width="1 hour", name="hour"))
    return int(minutes), int(hours)


async def opened(url: str, data_dir: Path, **settings: object) -> Store:
    store = Store(StorageSettings.model_validate({"database_url": url, **QUIET, **settings}), data_dir)
    await store.start()
    await wait_until(lambda: store.maintenance.rounds == 1, 20)
    return store


def values(rng: random.Random, start_us: int, end_us: int, count: int, devices: int = 5) -> list[Reading]:
    return [
        Reading(f"d{rng.randrange(devices)}", "m", rng.randrange(start_us, end_us), float(rng.randrange(1000)))
        for _ in range(count)
    ]


async def test_rollups_equal_the_readings_late_ones_included(
    database_url: str, sql: RawConnection, tmp_path: Path
) -> None:
    store = await opened(database_url, tmp_path)
    now, rng = time.time_ns() // 1000, random.Random(3)
    for start, end in ((now - 5 * HOUR_US, now), (now - 3 * DAY_US, now), (now - 5 * HOUR_US, now), (now, now + 10**6)):
        await store.write(values(rng, start, end, 2000))
        await store.maintenance.round()
        assert await differences(sql) == (0, 0)
    await store.close()

    assert await sql.fetchval("SELECT count(*) FROM rollup_dirty") == 0
    assert await sql.fetchval("SELECT sum(count) FROM rollup_hour") > 5000


async def test_a_reading_from_years_ago_costs_no_pass_over_the_years(
    database_url: str, sql: RawConnection, tmp_path: Path
) -> None:
    store = Store(StorageSettings.model_validate({"database_url": database_url, **QUIET}), tmp_path)
    await store.start()
    old = int(datetime(2013, 12, 2, tzinfo=UTC).timestamp()) * 1_000_000
    await store.write([Reading("d", "m", old + minute * 60_000_000, float(minute)) for minute in range(300)])
    await wait_until(lambda: store.maintenance.rounds == 1, 20)
    await store.maintenance.round()

    assert await differences(sql) == (0, 0)
    assert await sql.fetchval("SELECT sum(count) FROM rollup_hour") == 300
    await store.close()


async def test_extreme_values_do_not_stop_the_loop(database_url: str, sql: RawConnection, tmp_path: Path) -> None:
    store = await opened(database_url, tmp_path)
    start = (time.time_ns() // 1000 - 2 * HOUR_US) // 60_000_000 * 60_000_000
    for metric, numbers in {
        "huge": [1.7e308, 1.7e308],
        "tiny": [-1.7e308, -1.7e308],
        "nan": [math.nan, 1.0],
        "inf": [math.inf, -math.inf],
    }.items():
        await store.write([Reading("d", metric, start + at, value) for at, value in enumerate(numbers)])
    await store.maintenance.round()
    await store.close()

    rows = await sql.fetch("SELECT metric, sum FROM rollup_minute JOIN series ON series.id = series_id")
    sums = {row["metric"]: row["sum"] for row in rows}
    assert sums["huge"] == math.inf
    assert sums["tiny"] == -math.inf
    assert math.isnan(sums["nan"])
    assert math.isnan(sums["inf"])


async def test_a_claim_waits_for_a_writer_that_did_not_see_it(
    database_url: str, sql: RawConnection, tmp_path: Path
) -> None:
    """A transaction that looked before the claim and commits after it is rolled all the same."""
    store = await opened(database_url, tmp_path)
    now = time.time_ns() // 1000
    await store.write([Reading("d", "m", now - 4 * HOUR_US, 1.0)])
    series_id = await sql.fetchval("SELECT id FROM series")
    await sql.execute(
        "UPDATE rollup_state SET claimed_to = now() - interval '1 day', rolled_to = now() - interval '1 day'"
    )
    transaction = sql.transaction()
    await transaction.start()
    late = datetime.fromtimestamp(now / 1e6 - 2 * 3600, UTC)
    await sql.execute("INSERT INTO readings VALUES ($1, $2, 7)", series_id, late)

    rounds = asyncio.create_task(store.maintenance.round())
    async with asyncio.timeout(20), lend(store._database.queries) as other:
        while await other.fetchval(  # noqa: ASYNC110 - a question to the database has no event
            "SELECT claimed_to < now() - interval '1 hour' FROM rollup_state WHERE name = 'minute'"
        ):
            await asyncio.sleep(0.01)
        assert not rounds.done()
    await transaction.commit()
    await rounds

    assert await differences(sql) == (0, 0)
    await store.close()


async def test_a_mark_raised_during_the_work_is_kept(database_url: str, sql: RawConnection, tmp_path: Path) -> None:
    store = await opened(database_url, tmp_path)
    await store.write([Reading("d", "m", time.time_ns() // 1000 - 3 * HOUR_US, 1.0)])
    leaves = Leaves(DAY_US)
    assert await sql.fetchval("SELECT marks FROM rollup_dirty") == 0
    await sql.execute(
        "CREATE FUNCTION raise_mark() RETURNS trigger LANGUAGE plpgsql AS $$"
        " BEGIN UPDATE rollup_dirty SET marks = marks + 1; RETURN NULL; END $$"
    )
    await leaves.cover(sql, "rollup_minute", datetime.now(UTC) - timedelta(hours=5), datetime.now(UTC))
    await sql.execute("CREATE TRIGGER meanwhile AFTER INSERT ON rollup_hour EXECUTE FUNCTION raise_mark()")

    assert await take_dirty(sql, leaves) == 1
    assert await sql.fetchval("SELECT marks FROM rollup_dirty") == 1
    await sql.execute("DROP TRIGGER meanwhile ON rollup_hour")
    assert await take_dirty(sql, leaves) == 1
    assert await take_dirty(sql, leaves) == 0
    await store.close()


_DOOMED_ROUND = """
import asyncio, sys, time
from pathlib import Path
from storage import rollups
from storage.settings import StorageSettings
from storage.store import Store
step = int(sys.argv[3])
seen = 0
async def main():
    settings = StorageSettings(database_url=sys.argv[1], maintenance_every_s=0.01)
    store = Store(settings, Path(sys.argv[2]))
    import asyncpg
    real = asyncpg.Connection.execute
    async def execute(self, query, *args, **more):
        global seen
        if "rollup_" in query:
            seen += 1
            if seen == step:
                print("step", flush=True)
                await asyncio.sleep(60)
        return await real(self, query, *args, **more)
    asyncpg.Connection.execute = execute
    await store.start()
    await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5])
async def test_a_hub_killed_between_two_steps_counts_nothing_twice(
    database_url: str, sql: RawConnection, tmp_path: Path, step: int
) -> None:
    store = await opened(database_url, tmp_path / "first")
    now, rng = time.time_ns() // 1000, random.Random(step)
    await store.write(values(rng, now - 2 * HOUR_US, now, 1000))
    await store.maintenance.round()
    await store.write(values(rng, now - 2 * HOUR_US, now, 1000))
    await sql.execute("UPDATE rollup_state SET claimed_to = claimed_to - interval '70 minutes'")
    await sql.execute("UPDATE rollup_state SET rolled_to = claimed_to WHERE name = 'minute'")
    doomed = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _DOOMED_ROUND,
        database_url,
        str(tmp_path / "doomed"),
        str(step),
        stdout=asyncio.subprocess.PIPE,
    )
    assert doomed.stdout is not None
    async with asyncio.timeout(20):
        while b"step" not in await doomed.stdout.readline():
            pass
    doomed.send_signal(signal.SIGKILL)
    await doomed.wait()

    await wait_until_round(store.maintenance)

    assert await differences(sql) == (0, 0)
    assert await sql.fetchval("SELECT count(*) FROM rollup_dirty") == 0
    await store.close()


async def wait_until_round(maintenance: Maintenance) -> None:
    """Do a round as soon as the dead hub's session has given up the lock."""
    async with asyncio.timeout(20):
        while not await maintenance.round():  # noqa: ASYNC110 - nor has another session's lock
            await asyncio.sleep(0.02)


async def test_only_one_hub_does_the_round(database_url: str, tmp_path: Path) -> None:
    first = await opened(database_url, tmp_path / "1")
    second = Store(StorageSettings.model_validate({"database_url": database_url, **QUIET}), tmp_path / "2")
    await second.start()
    # Its own first round: while that holds the lock, all of ours would be refused.
    await wait_until(lambda: second.maintenance.rounds == 1, 20)

    done = await asyncio.gather(*(store.maintenance.round() for store in (first, second, first, second)))

    assert True in done
    await first.close()
    await second.close()


async def test_retention_drops_whole_leaves_and_rollups_stay(
    database_url: str, sql: RawConnection, tmp_path: Path
) -> None:
    store = await opened(database_url, tmp_path)
    now, rng = time.time_ns() // 1000, random.Random(1)
    await store.write(values(rng, now - 5 * DAY_US, now, 3000))
    await store.maintenance.round()
    rolled = await sql.fetchval("SELECT sum(count) FROM rollup_minute")
    await store.close()

    kept = await opened(database_url, tmp_path, keep_readings=timedelta(days=2))
    for _ in range(3):  # one leaf a round
        await kept.maintenance.round()
    await kept.write([Reading("d0", "m", now - 4 * DAY_US, 1.0), Reading("d0", "m", now - DAY_US, 1.0)])
    oldest = await sql.fetchval("SELECT min(ts) FROM readings")
    reason = await sql.fetchval("SELECT reason FROM quarantine")
    await kept.close()

    assert oldest > datetime.now(UTC) - timedelta(days=3, minutes=1)
    assert await sql.fetchval("SELECT sum(count) FROM rollup_minute") >= rolled
    assert reason == "expired"


async def test_leaves_are_made_ahead(database_url: str, sql: RawConnection, tmp_path: Path) -> None:
    store = await opened(database_url, tmp_path, partitions_ahead=3)
    await store.close()

    count = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'readings'::regclass"
    assert await sql.fetchval(count) == 4
    assert (await read_watermarks(sql)).minutes_to > datetime.now(UTC) - timedelta(minutes=3)
    assert await advance(sql, Leaves(DAY_US), 30.0) == await read_watermarks(sql)


async def test_an_hour_is_marked_once_a_generation_and_again_after_it_was_taken_in_hand(
    database_url: str, sql: RawConnection, tmp_path: Path
) -> None:
    store = await opened(database_url, tmp_path)
    hour = (time.time_ns() // 1000 - 5 * HOUR_US) // HOUR_US * HOUR_US
    for second in range(3):
        await store.write([Reading("d", "m", hour + second * 1_000_000, 1.0)])
    version = await sql.fetchval("SELECT xmin::text FROM rollup_dirty")
    await store.write([Reading("d", "m", hour + 4_000_000, 1.0)])
    assert version == await sql.fetchval("SELECT xmin::text FROM rollup_dirty"), "not marked again"

    await store.maintenance.round()
    assert await sql.fetchval("SELECT count(*) FROM rollup_dirty") == 0
    await store.write([Reading("d", "m", hour + 5_000_000, 1.0)])
    assert await sql.fetchval("SELECT count(*) FROM rollup_dirty") == 1
    await store.maintenance.round()

    assert await sql.fetchval("SELECT sum(count) FROM rollup_hour") == 5
    assert await differences(sql) == (0, 0)
    await store.close()


async def test_late_readings_and_rounds_at_once_leave_nothing_behind(
    database_url: str, sql: RawConnection, tmp_path: Path
) -> None:
    """Writers that mark and rounds that take marks in hand run against each other; then the rollups are exact."""
    store = await opened(database_url, tmp_path, flush_age_s=0.0)
    now, rng = time.time_ns() // 1000, random.Random(9)
    busy = True

    async def rounds() -> None:
        while busy:
            await store.maintenance.round()

    rounding = asyncio.create_task(rounds())
    for _ in range(150):
        await store.write(values(rng, now - 3 * HOUR_US, now, 40))
    busy = False
    await rounding
    await store.maintenance.round()

    assert await differences(sql) == (0, 0)
    assert await sql.fetchval("SELECT count(*) FROM rollup_dirty") == 0
    await store.close()
