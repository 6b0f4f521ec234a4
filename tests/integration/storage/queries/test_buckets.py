"""Buckets equal what a naive loop over all readings says, however far the rollups are and however late readings came."""

import math
import random
import time
from collections import defaultdict
from datetime import UTC, date, datetime
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from storage.columns import sorted_once
from storage.division import Places
from storage.engine import RawConnection
from storage.errors import QueryError
from storage.inserter import Counters, Inserter
from storage.leaves import Leaves
from storage.partitions import instant, microseconds
from storage.queries.bucket_plan import DAY_US, HOUR_US, MINUTE_US, ORIGIN_US, SECOND_US, choose_width
from storage.queries.buckets import Bucket, read_buckets
from storage.queries.grid import Grid
from storage.queries.series import SeriesInfo
from storage.reading import Reading
from storage.rollups import Marks, advance, read_watermarks, take_dirty
from storage.series import register_series
from storage.store import Store

NAMES = ("a", "b", "c")
WIDTHS = (7 * SECOND_US, 30 * SECOND_US, MINUTE_US, 5 * MINUTE_US, HOUR_US, 2 * HOUR_US, DAY_US)


class World:
    """A database, and everything that was ever written to it."""

    def __init__(self, connection: RawConnection, series: list[SeriesInfo]) -> None:
        self.connection = connection
        self.series = series
        self.leaves = Leaves(DAY_US)
        self.written: dict[int, dict[int, float]] = {one.id: {} for one in series}
        self._inserter = Inserter(connection, self.leaves, Marks(), Places(), Counters(), 10.0, 1000)

    @classmethod
    async def create(cls, connection: RawConnection) -> "World":
        ids = await register_series(connection, {(name, "m", ""): "number" for name in NAMES})
        return cls(connection, [SeriesInfo(name, "m", "number", "", ids[name, "m", ""]) for name in NAMES])

    async def write(self, rows: list[tuple[int, int, float]]) -> None:
        series, times, values = (np.array(column) for column in zip(*rows, strict=True))
        columns = sorted_once(series.astype(np.int32), times.astype(np.int64), values.astype(np.float64))
        await self._inserter.put_numbers(columns, None, lambda: 1 << 62)
        for series_id, time_us, value in rows:
            self.written[series_id].setdefault(time_us, value)

    async def ask(self, start: int, end: int, width: int, zone: ZoneInfo | None = None) -> list[list[Bucket]]:
        grid = Grid(width, zone)
        return [one.buckets() for one in await read_buckets(self.connection, self.series, start, end, grid)]

    def naive(self, start: int, end: int, width: int, zone: ZoneInfo | None = None) -> list[list[Bucket]]:
        answer = []
        for one in self.series:
            groups: dict[int, list[float]] = defaultdict(list)
            for time_us, value in sorted(self.written[one.id].items()):
                if start <= time_us < end:
                    groups[begin_of(time_us, width, zone)].append(value)
            answer.append(
                [
                    Bucket(bucket, len(v), min(v), max(v), sum(v) / len(v), v[0], v[-1])
                    for bucket, v in sorted(groups.items())
                ]
            )
        return answer


def begin_of(time_us: int, width: int, zone: ZoneInfo | None) -> int:
    """Return where a bucket begins."""
    if zone is None:
        return time_us - (time_us - ORIGIN_US) % width
    return _first_of(_slot(time_us, width, zone), time_us // (15 * MINUTE_US), width, zone)


def _slot(time_us: int, width: int, zone: ZoneInfo) -> int:
    return (instant(time_us).astimezone(zone).toordinal() - date(1900, 1, 1).toordinal()) // (width // DAY_US)


@cache
def _first_of(slot: int, quarter: int, width: int, zone: ZoneInfo) -> int:
    """Walk back by quarters of an hour while the local days are the same."""
    begin = quarter * 15 * MINUTE_US
    return begin if _slot(begin - 1, width, zone) != slot else _first_of(slot, quarter - 1, width, zone)


@pytest.mark.parametrize("seed", range(4))
async def test_buckets_equal_a_naive_aggregation_at_any_progress_of_the_rollups(sql: RawConnection, seed: int) -> None:
    world, rng = await World.create(sql), random.Random(seed)
    now = time.time_ns() // 1000
    begin = now - 30 * HOUR_US
    delay_s = 30.0 * 3600
    for _ in range(12):
        action = rng.random()
        if action < 0.55:
            # Some all over the time, late ones among them; some in one hour, repeats among them.
            low, high = (begin, now) if rng.random() < 0.5 else (now - 3 * HOUR_US, now - 2 * HOUR_US)
            step = rng.choice((1, SECOND_US, MINUTE_US))
            rows = [
                (rng.choice(world.series).id, rng.randrange(low, high) // step * step, float(rng.randrange(-50, 50)))
                for _ in range(rng.randrange(1, 400))
            ]
            await world.write(list({(row[0], row[1]): row for row in reversed(rows)}.values()))
        elif action < 0.85:
            delay_s *= rng.random()
            await advance(sql, world.leaves, delay_s)
        else:
            await take_dirty(sql, world.leaves)
        for _ in range(6):
            start = rng.randrange(begin - HOUR_US, now)
            end = min(start + rng.choice((SECOND_US, MINUTE_US, HOUR_US, DAY_US)) * rng.randrange(1, 40), now + HOUR_US)
            width = rng.choice(WIDTHS) if rng.random() < 0.7 else choose_width(start, end, rng.randrange(1, 300))

            assert world.naive(start, end, width) == await world.ask(start, end, width), (seed, start, end, width)


async def test_rollups_do_answer_and_raw_readings_only_for_the_rest(sql: RawConnection) -> None:
    """The test above would pass without rollups; here they are made to lie."""
    world = await World.create(sql)
    hour = time.time_ns() // 1000 // HOUR_US * HOUR_US - 5 * HOUR_US
    await world.write([(one.id, hour + minute * MINUTE_US, 1.0) for one in world.series for minute in range(240)])
    await advance(sql, world.leaves, 30.0)
    await sql.execute("UPDATE rollup_minute SET max = 5")
    await sql.execute("UPDATE rollup_hour SET max = 7")
    assert (await read_watermarks(sql)).hours_to.timestamp() * 1e6 >= hour + 4 * HOUR_US

    answers = await world.ask(hour + 30 * MINUTE_US, hour + 4 * HOUR_US, HOUR_US)
    assert [[5.0, 7.0, 7.0, 7.0]] * 3 == [[bucket.max for bucket in answer] for answer in answers]
    # A mark takes its hour away from the rollups, for the series asked for.
    await world.write([(world.series[0].id, hour + HOUR_US + 1, 1.0)])
    answers = await world.ask(hour, hour + 4 * HOUR_US, HOUR_US)
    assert [7.0, 1.0, 7.0, 7.0] == [bucket.max for bucket in answers[0]]
    assert [1.0] == [bucket.max for bucket in (await world.ask(hour + 1, hour + 90 * SECOND_US, 30 * SECOND_US))[0]]


async def test_infinities_nan_and_sums_beyond_a_double_are_answered(sql: RawConnection) -> None:
    world = await World.create(sql)
    now = time.time_ns() // 1000 // HOUR_US * HOUR_US
    numbers = {0: [1.7e308, 1.7e308], 1: [math.nan, 1.0], 2: [math.inf, -math.inf]}
    for at, values in numbers.items():
        series_id = world.series[at].id
        await world.write([(series_id, now - 3 * HOUR_US + n * HOUR_US, value) for n, value in enumerate(values)])

    for _ in range(2):
        huge, nan, both = (answer[0] for answer in await world.ask(now - 4 * HOUR_US, now, 28 * DAY_US))
        assert (huge.avg, huge.min, huge.max) == (math.inf, 1.7e308, 1.7e308)
        assert math.isnan(nan.avg)
        assert nan.min == 1.0
        assert math.isnan(nan.max)
        assert (both.min, both.max) == (-math.inf, math.inf)
        assert math.isnan(both.avg)
        await advance(sql, world.leaves, 3600.0 * 2)


async def test_after_retention_the_rollups_answer_alone(sql: RawConnection) -> None:
    world = await World.create(sql)
    day = time.time_ns() // 1000 // DAY_US * DAY_US - 3 * DAY_US
    await world.write([(world.series[0].id, day + hour * HOUR_US + 90 * SECOND_US, 1.0) for hour in range(48)])
    await advance(sql, world.leaves, 30.0)
    await sql.execute(f"DROP TABLE {(await world.leaves.known(sql, 'readings'))[0].name}")
    await sql.execute("INSERT INTO retention_state VALUES ('readings', to_timestamp($1::float8))", (day + DAY_US) / 1e6)
    await sql.execute(
        "INSERT INTO rollup_dirty VALUES ($1, to_timestamp($2::float8), 0)", world.series[0].id, (day + HOUR_US) / 1e6
    )
    world.leaves.forget()
    assert await take_dirty(sql, world.leaves) == 1

    (answer, *_) = await world.ask(day + 100 * SECOND_US, day + 2 * DAY_US, DAY_US)
    assert [24, 24] == [bucket.count for bucket in answer]
    assert await sql.fetchval("SELECT count(*) FROM rollup_dirty") == 0


# Half hours and quarters beside UTC, clocks set by an hour and by half of one within what is asked.
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe"])
@pytest.mark.parametrize("rolled", [False, True])
async def test_days_of_a_zone_equal_a_naive_aggregation(sql: RawConnection, zone: str, *, rolled: bool) -> None:
    world, rng, local = await World.create(sql), random.Random(zone), ZoneInfo(zone)
    end = microseconds(datetime(2026, 11, 8, 11, 7, tzinfo=UTC))
    begin = end - 40 * DAY_US
    await world.write([(rng.choice(world.series).id, rng.randrange(begin, end), rng.random()) for _ in range(1_000)])
    if rolled:
        await advance(sql, world.leaves, 30.0)
        await take_dirty(sql, world.leaves)

    for width, start in ((DAY_US, begin + 7 * HOUR_US + 1), (2 * DAY_US, begin), (7 * DAY_US, begin)):
        expected, asked = world.naive(start, end, width, local), await world.ask(start, end, width, local)

        for one, other in zip(expected, asked, strict=True):
            assert [(b.time_us, b.count, b.first, b.last) for b in one] == [
                (b.time_us, b.count, b.first, b.last) for b in other
            ]
            assert [bucket.avg for bucket in one] == pytest.approx([bucket.avg for bucket in other])


async def test_days_as_people_in_berlin_count_them(store: Store) -> None:
    """The last is of the day that begins an hour after 25 hours of Sunday."""
    times = ("2026-07-01T21:30", "2026-07-01T22:30", "2026-07-02T21:30", "2026-10-24T22:00", "2026-10-25T22:30")
    await store.write(
        [
            Reading("meter", "kwh", microseconds(datetime.fromisoformat(f"{at}+00:00")), float(number))
            for number, at in enumerate(times, 1)
        ]
    )
    start, end = (microseconds(datetime.fromisoformat(f"2026-{at}T00:00+00:00")) for at in ("06-01", "11-01"))

    asked = store.queries.buckets([("meter", "kwh")], start, end, width_us=DAY_US, zone="Europe/Berlin")

    days = [
        (instant(day.time_us).astimezone(ZoneInfo("Europe/Berlin")).isoformat(), day.avg)
        async for one in asked
        for day in one.buckets()
    ]
    assert [
        ("2026-07-01T00:00:00+02:00", 1.0),
        ("2026-07-02T00:00:00+02:00", 2.5),
        ("2026-10-25T00:00:00+02:00", 4.5),
    ] == days
    with pytest.raises(QueryError, match="no time zone"):
        _ = [one async for one in store.queries.buckets([("meter", "kwh")], start, end, width_us=DAY_US, zone="Mars")]
