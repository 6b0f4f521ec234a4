"""How fast the store answers over 20 million readings, and what that costs the writers.

    python -m tests.bench.storage_queries [--points N] [--rounds N] [--seconds S] [--json FILE]

The data are those of `many_readings`, rolled up by the maintenance loop's own code, then vacuumed once, as autovacuum
would have done on a day without load. Each question is asked in turn by the store and by bare asyncpg with SQL written
by hand for the same rows (ids looked up by name in the same statement); medians of the rounds. The bare statements are
told where the rows are (raw, minute or hour table) and look for no watermark, dirty hour, text or older leaf. An answer
is complete when its rows are in memory: asyncpg's records, the store's readings, pages and columns. The garbage
collector is set as `telemetry-hub serve` sets it.

Ingest: the same stream into the store for some seconds alone, and with all four questions asked each second, rounds of
maintenance and a partition dropped meanwhile, in turns.
"""

import argparse
import asyncio
import contextlib
import gc
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import asyncpg
import uvloop

from storage.clock import DatabaseClock
from storage.embedded import EmbeddedPostgres
from storage.engine import RawConnection
from storage.leaves import Leaves
from storage.partitions import instant, microseconds, read_leaves
from storage.reading import Reading
from storage.retention import Retention
from storage.rollups import advance, read_watermarks
from storage.settings import StorageSettings
from storage.store import Store
from tests.bench.many_readings import LONG_POINTS, METRIC, TICK_US, device_name, fill, long_name

SERIES = 1_000
FLEET = 200
LONG = 10
DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
MINUTE_US = 60_000_000
MESSAGE = 3
WRITERS = 1_000

BARE_LATEST = """
    SELECT devices.name, series.metric, series.unit, newest.ts, newest.value
      FROM unnest($1::text[]) AS wanted(name)
      JOIN devices ON devices.name = wanted.name
      JOIN series ON series.device_id = devices.id AND series.metric = $2
     CROSS JOIN LATERAL (SELECT ts, value FROM readings WHERE series_id = series.id ORDER BY ts DESC LIMIT 1) AS newest
"""
BARE_RAW = """
    SELECT ts, value FROM readings
     WHERE series_id = (SELECT series.id FROM series JOIN devices ON devices.id = device_id
                         WHERE devices.name = $1 AND metric = $2)
       AND ts >= $3 AND ts < $4
     ORDER BY ts
"""
BARE_BUCKETS = """
    WITH wanted AS (SELECT series.id FROM series JOIN devices ON devices.id = device_id
                     WHERE devices.name = $1 AND metric = $2),
         parts AS (
         SELECT ts, count, sum, min, max, first, last FROM rollup_hour
          WHERE series_id = (SELECT id FROM wanted) AND ts >= $3 AND ts < $4
          UNION ALL
         SELECT ts, count, sum, min, max, first, last FROM rollup_minute
          WHERE series_id = (SELECT id FROM wanted) AND ts >= $4 AND ts < $5
          UNION ALL
         SELECT ts, 1, value, value, value, value, value FROM readings
          WHERE series_id = (SELECT id FROM wanted) AND ts >= $5 AND ts < $6)
    SELECT date_bin('2 hours', ts, '1900-01-01 00:00+00') AS bucket, sum(count), sum(sum) / sum(count), min(min), max(max),
           (array_agg(first ORDER BY ts))[1], (array_agg(last ORDER BY ts))[count(*)]
      FROM parts GROUP BY bucket ORDER BY bucket
"""
BARE_MINUTES = """
    SELECT devices.name, ts, count, sum / count, min, max, first, last
      FROM unnest($1::text[]) AS wanted(name)
      JOIN devices ON devices.name = wanted.name
      JOIN series ON series.device_id = devices.id AND series.metric = $2
      JOIN rollup_minute ON series_id = series.id AND ts >= $3 AND ts < $4
     ORDER BY devices.name, ts
"""


class Questions:
    """The four questions, each as the store answers it and as bare asyncpg does; each returns its number of rows."""

    def __init__(self, store: Store, bare: RawConnection, now_us: int, rolled_us: int, series: int) -> None:
        self._queries = store.queries
        self._bare = bare
        self._now_us = now_us
        self._rolled_us = max(min(rolled_us, now_us), now_us - now_us % HOUR_US)
        self._names = [device_name(number) for number in range(series)]
        self._fleet = self._names[:FLEET]
        self._turn = 0
        self.all: dict[str, tuple[Callable[[], Awaitable[int]], Callable[[], Awaitable[int]]]] = {
            "latest_of_1000_series": (self.latest, self.bare_latest),
            "raw_of_24_hours": (self.raw, self.bare_raw),
            "buckets_of_30_days": (self.month, self.bare_month),
            "fleet_view": (self.fleet, self.bare_fleet),
        }

    def _next(self, series: int) -> int:
        """Return another series at each call: neither side finds its pages warmed by the other."""
        self._turn += 1
        return self._turn * 37 % series

    async def latest(self) -> int:
        return len([one async for one in self._queries.latest([(name, METRIC) for name in self._names])])

    async def bare_latest(self) -> int:
        return len(await self._bare.fetch(BARE_LATEST, self._names, METRIC))

    async def raw(self) -> int:
        device = self._names[self._next(len(self._names))]
        pages = self._queries.pages(device, METRIC, self._now_us - DAY_US, self._now_us)
        return sum([len(page.times_us) async for page in pages])

    async def bare_raw(self) -> int:
        device = self._names[self._next(len(self._names))]
        span = instant(self._now_us - DAY_US), instant(self._now_us)
        return len(await self._bare.fetch(BARE_RAW, device, METRIC, *span))

    async def month(self) -> int:
        names = [(long_name(self._next(LONG)), METRIC)]
        found = self._queries.buckets(names, self._now_us - 30 * DAY_US, self._now_us, max_points=500)
        return sum([len(one.columns.times_us) async for one in found])

    async def bare_month(self) -> int:
        times = (self._now_us - 30 * DAY_US, self._now_us - self._now_us % HOUR_US, self._rolled_us, self._now_us)
        span = [instant(time_us) for time_us in times]
        return len(await self._bare.fetch(BARE_BUCKETS, long_name(self._next(LONG)), METRIC, *span))

    async def fleet(self) -> int:
        names = [(name, METRIC) for name in self._fleet]
        newest = [one async for one in self._queries.latest(names)]
        begin_us = self._now_us - 60 * MINUTE_US
        found = self._queries.buckets(names, begin_us, self._now_us, width_us=MINUTE_US)
        return len(newest) + sum([len(one.columns.times_us) async for one in found])

    async def bare_fleet(self) -> int:
        newest = await self._bare.fetch(BARE_LATEST, self._fleet, METRIC)
        span = instant(self._now_us - 60 * MINUTE_US), instant(self._now_us)
        return len(newest) + len(await self._bare.fetch(BARE_MINUTES, self._fleet, METRIC, *span))


async def timed(question: Callable[[], Awaitable[int]]) -> tuple[float, int]:
    begin = time.perf_counter()
    rows = await question()
    return (time.perf_counter() - begin) * 1_000, rows


async def measure_questions(questions: Questions, rounds: int) -> dict[str, float]:
    figures: dict[str, float] = {}
    for name, pair in questions.all.items():
        times: tuple[list[float], list[float]] = ([], [])
        rows = (0, 0)
        for number in range(rounds + 2):
            (ours, our_rows), (bare, bare_rows) = await timed(pair[0]), await timed(pair[1])
            rows = (our_rows, bare_rows)
            if number >= 2:  # the first two prepare statements and fill caches
                times[0].append(ours)
                times[1].append(bare)
        ours, bare = (statistics.median(values) for values in times)
        figures |= {
            f"{name}_ms": round(ours, 2),
            f"{name}_slowest_ms": round(max(times[0]), 2),
            f"{name}_bare_ms": round(bare, 2),
            f"{name}_to_bare": round(ours / bare, 2),
            f"{name}_rows": rows[0],
        }
        print(name, figures[f"{name}_ms"], "ms, bare", figures[f"{name}_bare_ms"], "ms, rows", rows, flush=True)
    return figures


class Ingest:
    """A stream of messages with three readings each, as fast as the store takes them, at growing times."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tick = 0

    async def run(self, seconds: float) -> float:
        """Write for so long; return readings/s until the last commit."""
        pending: set[asyncio.Future[None]] = set()
        count, begin = 0, time.perf_counter()
        while time.perf_counter() - begin < seconds:
            self._tick += 1
            now_us = time.time_ns() // 1000
            for device in range(WRITERS):
                name = f"writer-{device:05d}"
                readings = [Reading(name, metric, now_us, now_us * 1e-9) for metric in ("a", "b", "c")]
                future = self._store.write(readings)
                if not future.done():
                    pending.add(future)
                    future.add_done_callback(pending.discard)
            count += WRITERS * MESSAGE
            await asyncio.sleep(0)
            await self._store.wait_not_full()
        await asyncio.gather(*pending)
        return count / (time.perf_counter() - begin)


@contextlib.asynccontextmanager
async def load(questions: Questions, store: Store, slowest: dict[str, float]) -> AsyncIterator[None]:
    """Ask every question each second and keep up the rollups, for the time of the block."""

    async def ask() -> None:
        while True:
            begin = time.perf_counter()
            for name, (ours, _) in questions.all.items():
                took_ms, _rows = await timed(ours)
                slowest[name] = max(slowest.get(name, 0.0), took_ms)
            await asyncio.sleep(max(0.0, 1.0 - (time.perf_counter() - begin)))

    async def maintain() -> None:
        while True:
            await store.maintenance.round()
            await asyncio.sleep(2.0)

    tasks = [asyncio.create_task(ask()), asyncio.create_task(maintain())]
    try:
        yield
    finally:
        for task in tasks:
            if task.done():
                task.result()  # a question that failed is a result, too
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def measure_ingest(
    questions: Questions, store: Store, sql: RawConnection, rounds: int, seconds: float
) -> dict[str, float]:
    ingest = Ingest(store)
    await ingest.run(2.0)
    alone: list[float] = []
    loaded: list[float] = []
    slowest: dict[str, float] = {}
    dropped = 0
    for _ in range(rounds):
        alone.append(await ingest.run(seconds))
        async with load(questions, store, slowest):
            running = asyncio.create_task(ingest.run(seconds))
            dropped += await drop_oldest(sql)
            loaded.append(await running)
        print({"alone": round(alone[-1]), "loaded": round(loaded[-1]), "dropped": dropped}, flush=True)
    assert dropped >= 1, "no partition was dropped"
    ratios = [one / other for one, other in zip(loaded, alone, strict=True)]
    return {
        "ingest_alone_rows_per_s": round(statistics.median(alone)),
        "ingest_loaded_rows_per_s": round(statistics.median(loaded)),
        "ingest_loaded_to_alone": round(statistics.median(ratios), 3),
        "partitions_dropped": dropped,
        **{f"{name}_slowest_beside_ingest_ms": round(took, 1) for name, took in slowest.items()},
    }


async def drop_oldest(sql: RawConnection) -> int:
    """Drop the oldest leaf of readings as retention does; return 1 if that succeeded."""
    now_us = time.time_ns() // 1000
    oldest = (await read_leaves(sql, "readings"))[0]
    settings = StorageSettings(keep_readings=timedelta(microseconds=now_us - oldest.end_us))
    retention = Retention(settings, DatabaseClock())
    await retention.round(sql, Leaves(DAY_US))
    return retention.dropped


_SIZES = """
    SELECT sum(pg_relation_size(inhrelid)), sum(pg_indexes_size(inhrelid))
      FROM pg_inherits WHERE inhparent = $1::text::regclass
"""


async def sizes(sql: RawConnection) -> dict[str, float]:
    """Return bytes a row of each table, heap and index."""
    figures: dict[str, float] = {}
    for table in ("readings", "rollup_minute", "rollup_hour"):
        rows = await sql.fetchval(f"SELECT count(*) FROM {table}")
        heap, index = await sql.fetchrow(_SIZES, table) or (0, 0)
        figures[f"{table}_rows"] = rows
        figures[f"{table}_heap_bytes_per_row"] = round(float(heap) / rows, 1)
        figures[f"{table}_index_bytes_per_row"] = round(float(index) / rows, 1)
    return figures


async def run(points: int, rounds: int, ingest_rounds: int, seconds: float, data_dir: Path) -> dict[str, float]:
    server = EmbeddedPostgres(data_dir / "pg")
    url = await asyncio.to_thread(server.start)
    begin = time.monotonic()
    rate = await fill(url, SERIES, points, LONG)
    figures: dict[str, float] = {
        "load_s": round(time.monotonic() - begin, 1),
        "load_rows_per_s": round(rate),
    }
    print(figures, flush=True)
    sql = await asyncpg.connect(url)
    await sql.execute("VACUUM ANALYZE")
    begin = time.monotonic()
    await advance(sql, Leaves(DAY_US), 30.0)
    took = time.monotonic() - begin
    figures |= {
        "rollup_s": round(took, 1),
        "rollup_rows_per_s": round((SERIES * points + LONG * LONG_POINTS) / took),
    }
    await sql.execute("VACUUM ANALYZE")
    figures |= await sizes(sql)
    print(figures, flush=True)

    settings = StorageSettings(database_url=url, maintenance_every_s=3600.0)
    store = Store(settings, data_dir / "hub")
    await store.start()
    await store.write([Reading("writer-00000", "a", time.time_ns() // 1000, 0.0)])
    bare = await asyncpg.connect(url)
    newest: int = await sql.fetchval(
        "SELECT (extract(epoch FROM max(ts)) * 1000000)::int8 FROM readings"
        " WHERE series_id = (SELECT min(id) FROM series)"
    )
    rolled_us = microseconds((await read_watermarks(sql)).minutes_to)
    questions = Questions(store, bare, newest + TICK_US, rolled_us, SERIES)
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    figures |= await measure_questions(questions, rounds)
    figures |= await measure_ingest(questions, store, sql, ingest_rounds, seconds)
    await bare.close()
    await sql.close()
    await store.close()
    await asyncio.to_thread(server.stop)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=20_000, help="readings of each of the 1,000 series")
    parser.add_argument("--rounds", type=int, default=30, help="times that each question is asked")
    parser.add_argument("--ingest-rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each ingest run")
    parser.add_argument("--json", type=Path, help="write the result here too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="storage-queries-") as directory:
        result = uvloop.run(
            run(arguments.points, arguments.rounds, arguments.ingest_rounds, arguments.seconds, Path(directory))
        )
    print(json.dumps(result))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
