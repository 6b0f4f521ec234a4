"""Fill a database with readings as a fleet would have left them: 1,000 series of 20,000 readings, one every 10 s.

    python -m tests.bench.many_readings --database-url URL [--series N] [--points N] [--long N]

Written by binary COPY in batches of 5 ticks of all series, the order in which live flushes arrive, so that a series'
readings lie as scattered in the table as in production. `--long` series get 30 days of readings instead, for questions
over a month. The schema is made where it is missing. Readings end at the last full minute.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence

import asyncpg
import numpy as np

from storage.copy_format import encode_numbers
from storage.engine import RawConnection, make_engine
from storage.migrate import migrate
from storage.partitions import find_leaf, make_leaf
from storage.series import register_series
from storage.settings import StorageSettings

TICK_US = 10_000_000
DAY_US = 86_400_000_000
TICKS_PER_BATCH = 5
LONG_POINTS = 30 * 8_640
METRIC = "temperature"


def device_name(number: int) -> str:
    return f"bench-{number:05d}"


def long_name(number: int) -> str:
    return f"long-{number:05d}"


async def write_series(connection: RawConnection, names: Sequence[str], points: int, end_us: int, batch: int) -> None:
    """Write `points` readings of each named device up to `end_us`, `batch` rows at a time, oldest first."""
    ids = await register_series(connection, {(name, METRIC, "Cel"): "number" for name in names})
    series = np.array([ids[name, METRIC, "Cel"] for name in names], np.int32)
    rng = np.random.default_rng(7)
    level = rng.normal(20.0, 5.0, len(series))
    begin_us = end_us - points * TICK_US
    slots = range(begin_us - begin_us % DAY_US, end_us + 2 * DAY_US, DAY_US)
    leaves = [await make_leaf(connection, "readings", slot, DAY_US) for slot in slots][-1]
    ticks = max(1, batch // len(series))
    for at in range(0, points, ticks):
        times = begin_us + np.arange(at, min(at + ticks, points)) * TICK_US
        values = np.round(level + np.cumsum(rng.normal(0.0, 0.1, (len(times), len(series))), axis=0), 2)
        level = values[-1]
        first, last = find_leaf(leaves, int(times[0])), find_leaf(leaves, int(times[-1]))
        target = first.name if first is not None and first == last else "readings"
        data = encode_numbers(np.repeat(series, len(times)), np.tile(times, len(series)), values.T.ravel())
        await connection.copy_to_table(
            target,
            source=data,  # type: ignore[arg-type]
            columns=("series_id", "ts", "value"),
            format="binary",
        )


async def fill(url: str, series: int, points: int, long: int) -> float:
    """Fill the database; return readings/s of writing the main part."""
    engine = make_engine(url, StorageSettings(statement_timeout_s=120))
    await migrate(engine)
    await engine.dispose()
    connection = await asyncpg.connect(url)
    end_us = time.time_ns() // 60_000_000_000 * 60_000_000
    begin = time.monotonic()
    names = [device_name(number) for number in range(series)]
    await write_series(connection, names, points, end_us, TICKS_PER_BATCH * series)
    rate = series * points / (time.monotonic() - begin)
    if long:
        await write_series(connection, [long_name(number) for number in range(long)], LONG_POINTS, end_us, 5_000)
    await connection.close()
    return rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--series", type=int, default=1_000)
    parser.add_argument("--points", type=int, default=20_000, help="readings of each series")
    parser.add_argument("--long", type=int, default=10, help="more series, with 30 days of readings")
    arguments = parser.parse_args()
    rate = asyncio.run(fill(arguments.database_url, arguments.series, arguments.points, arguments.long))
    print(f"{arguments.series * arguments.points} readings, {rate:,.0f} a second")


if __name__ == "__main__":
    main()
