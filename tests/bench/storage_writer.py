"""How fast readings become rows: the writer against a bare loop of binary COPY into the same table, in turns.

    python -m tests.bench.storage_writer [--rows N] [--rounds N] [--json FILE]

Each round writes the same shape of stream (3 series a device, 5,000 devices, batches of 5,000 rows) four times, at
times of its own: by a bare loop (arrays in memory, numpy encoding, one COPY after the other), by the store (readings in
memory, one `write` a message), by the store with 5 % of the readings repeated, and by the store with times of 40 days
ago, which the rollups have passed. The rounds alternate, so that
a checkpoint or a busy neighbour meets all of them; the medians are compared. CPU is this process's own, less the
feeding loop's.
"""

import argparse
import asyncio
import gc
import json
import random
import statistics
import tempfile
import time
from pathlib import Path

import asyncpg
import numpy as np
import uvloop

from storage.copy_format import encode_numbers
from storage.embedded import EmbeddedPostgres
from storage.engine import RawConnection
from storage.reading import Reading
from storage.settings import StorageSettings
from storage.store import Store

DEVICES = 5_000
METRICS = ("temperature", "humidity", "pressure")
BATCH = 5_000
TURN_US = 5_000
HOUR_US = 3_600_000_000
BACKFILL_US = 40 * 24 * HOUR_US
REPEATS = 0.05


def messages(rows: int, start_us: int, rng: random.Random, repeats: float) -> list[list[Reading]]:
    """Return one list of readings a message, devices in turn, each device's times growing by a second."""
    made: list[list[Reading]] = []
    for number in range(rows // len(METRICS)):
        turn, device = divmod(number, DEVICES)
        time_us = start_us + turn * TURN_US + device
        name = f"sim-{device:05d}"
        made.append([Reading(name, metric, time_us, rng.random() * 100) for metric in METRICS])
        if made and rng.random() < repeats:
            made.append(made[max(0, len(made) - 1 - rng.randrange(2 * DEVICES))])
    return made


async def bare(connection: RawConnection, rows: int, start_us: int, ids: dict[tuple[str, str], int]) -> float:
    """Return rows/s of COPY after COPY from arrays in memory."""
    order = np.array([ids[f"sim-{device:05d}", metric] for device in range(DEVICES) for metric in METRICS], np.int32)
    number = np.arange(rows)
    series = order[number % len(order)]
    times = start_us + number // len(order) * TURN_US + number % len(order) // len(METRICS)
    values = np.random.default_rng(1).random(rows) * 100
    begin = time.perf_counter()
    for at in range(0, rows, BATCH):
        part = slice(at, at + BATCH)
        await connection.copy_to_table(
            "readings",
            source=encode_numbers(series[part], times[part], values[part]),  # type: ignore[arg-type]
            columns=("series_id", "ts", "value"),
            format="binary",
        )
    return rows / (time.perf_counter() - begin)


class Nothing:
    """Takes the readings and does nothing: what it costs is the feeding loop, which is not the writer's."""

    full = False

    def __init__(self) -> None:
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._done.set_result(None)

    def write(self, _readings: list[Reading]) -> asyncio.Future[None]:
        return self._done

    async def wait_not_full(self) -> None:
        return


async def through_store(store: Store | Nothing, stream: list[list[Reading]]) -> tuple[float, float]:
    """Return (readings/s, client cpu-us a reading) until the last commit."""
    offered = sum(map(len, stream))
    futures = set()
    gc.collect()
    gc.freeze()  # the prepared stream is the load's, not the hub's: its collection would be counted against the writer
    cpu, begin = time.process_time(), time.perf_counter()
    for number, message in enumerate(stream):
        futures.add(store.write(message))
        if number % 500 == 0:
            await asyncio.sleep(0)
            if store.full:
                await store.wait_not_full()
    await asyncio.gather(*futures)
    return offered / (time.perf_counter() - begin), (time.process_time() - cpu) / offered * 1e6


async def series_ids(connection: RawConnection) -> dict[tuple[str, str], int]:
    rows = await connection.fetch("SELECT name, metric, series.id FROM series JOIN devices ON devices.id = device_id")
    return {(row[0], row[1]): row[2] for row in rows}


async def run(rows: int, rounds: int, data_dir: Path) -> dict[str, float]:
    server = EmbeddedPostgres(data_dir / "pg")
    url = await asyncio.to_thread(server.start)
    rng = random.Random(7)
    store = Store(StorageSettings(database_url=url), data_dir / "hub")
    await store.start()
    await store.write([reading for message in messages(3 * DEVICES, _now_us(), rng, 0) for reading in message])
    connection = await asyncpg.connect(url)
    ids = await series_ids(connection)
    measured: dict[str, list[float]] = {"bare": [], "store": [], "cpu_us": [], "repeats": [], "backfill": []}
    for number in range(rounds):
        measured["bare"].append(await bare(connection, rows, _now_us(), ids))
        stream = messages(rows, _now_us(), rng, 0)
        _, feeding = await through_store(Nothing(), stream)
        rate, cpu = await through_store(store, stream)
        measured["store"].append(rate)
        measured["cpu_us"].append(cpu - feeding)
        rate, _ = await through_store(store, messages(rows, _now_us(), rng, REPEATS))
        measured["repeats"].append(rate)
        rate, _ = await through_store(store, messages(rows, _now_us() - BACKFILL_US + number * HOUR_US, rng, 0))
        measured["backfill"].append(rate)
        print({name: round(values[-1], 3) for name, values in measured.items()}, flush=True)
    expected = 3 * DEVICES + rounds * 4 * (rows // len(METRICS)) * len(METRICS)
    found = await connection.fetchval("SELECT count(*) FROM readings")
    assert found == expected, f"{found} rows stored, {expected} expected"
    size = await connection.fetchval(
        "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'readings'::regclass"
    )
    await connection.close()
    await store.close()
    await asyncio.to_thread(server.stop)
    median = {name: statistics.median(values) for name, values in measured.items()}
    return {
        "bare_rows_per_s": round(median["bare"]),
        "store_rows_per_s": round(median["store"]),
        "store_to_bare": round(median["store"] / median["bare"], 3),
        "client_cpu_us_per_reading": round(median["cpu_us"], 3),
        "with_5_percent_repeats_rows_per_s": round(median["repeats"]),
        "repeats_to_store": round(median["repeats"] / median["store"], 3),
        "backfill_rows_per_s": round(median["backfill"]),
        "bytes_per_reading": round(float(size) / found, 1),
        "batches_staged": store.counters.batches_staged,
        "rows_duplicate": store.counters.rows_duplicate,
    }


def _now_us() -> int:
    return time.time_ns() // 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=600_000, help="readings a stream")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the result here too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="storage-bench-") as directory:
        result = uvloop.run(run(arguments.rows, arguments.rounds, Path(directory)))
    print(json.dumps(result))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
