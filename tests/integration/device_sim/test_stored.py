"""The sampler against a real Postgres: it finds what is stored, when it is, and bounds what it asks."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from device_sim.errors import BadArgumentError
from device_sim.figures.results import STORED, Recorder
from device_sim.figures.stored import LOOK_S, PER_S, WAITING, StoredSampler
from device_sim.message import Message, Value
from storage.reading import Reading
from storage.settings import StorageSettings
from storage.store import Store
from tests.support.waiting import wait_until

START_US = 1_795_190_400_000_000
VALUES: tuple[Value, ...] = (21.5, "on")


def message(number: int, *, timed: bool = True) -> Message:
    return Message(number, 0, "sim-0", ("m", "s"), START_US + number, 0.0, "t", b"", VALUES, timed)


def readings(messages: list[Message]) -> list[Reading]:
    return [
        Reading(of.device, metric, of.time_us, value)
        for of in messages
        for metric, value in zip(of.metrics, of.values, strict=True)
    ]


@asynccontextmanager
async def running(sampler: StoredSampler) -> AsyncIterator[None]:
    task = asyncio.create_task(sampler.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await sampler.close()


@pytest.fixture
async def store(database_url: str, tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(StorageSettings(database_url=database_url), tmp_path)
    await store.start()
    yield store
    await store.close()


async def test_numbers_and_texts_are_found_once_they_are_stored(store: Store, database_url: str) -> None:
    recorder = Recorder("r", 0, START_US)
    sampler = StoredSampler(database_url, recorder)
    messages = [message(number) for number in range(40)]
    async with running(sampler):
        sampler.begin(time.monotonic() - 1.0)
        sampler.sent(sampler.now_s, messages)
        taken_s = sampler.now_s
        await store.write(readings(messages))
        await sampler.settle()

    histogram = recorder.latencies[STORED]
    assert sampler.taken == sampler.found == histogram.count == 40
    assert histogram.percentile_s(1) >= taken_s - 0.01
    assert recorder.notes["stored"] == "40 of 40 sampled readings were found in the database, looked for every 100 ms"


async def test_what_is_not_stored_is_not_found(store: Store, database_url: str) -> None:
    recorder = Recorder("r", 0, START_US)
    sampler = StoredSampler(database_url, recorder)
    messages = [message(number) for number in range(20)]
    async with running(sampler):
        sampler.begin(time.monotonic() - 1.0)
        sampler.sent(1.0, messages)
        await store.write(readings(messages[:10]))
        await wait_until(lambda: sampler.found == 10)

    assert recorder.latencies[STORED].count == 10


async def test_the_sample_is_bounded_a_second_and_in_all(database_url: str) -> None:
    sampler = StoredSampler(database_url, Recorder("r", 0, START_US))
    for second in range(1, 4):
        for part in range(10):
            burst = [message(number) for number in range(500)]
            sampler.sent(second + part / 10, burst)
        assert sampler.taken <= (second + 1) * PER_S
    for second in range(4, 40):
        for part in range(10):
            sampler.sent(second + part / 10, [message(number) for number in range(500)])
    assert sampler.taken <= WAITING
    assert sampler.taken > WAITING / 2
    await sampler.close()


async def test_readings_without_a_time_and_messages_without_readings_are_not_sampled(database_url: str) -> None:
    sampler = StoredSampler(database_url, Recorder("r", 0, START_US))

    sampler.sent(1.0, [message(0, timed=False), message(1)._replace(metrics=(), values=())])

    assert sampler.taken == 0
    await sampler.close()


async def test_a_database_that_is_away_is_asked_again() -> None:
    recorder = Recorder("r", 0, START_US)
    sampler = StoredSampler("postgresql://127.0.0.1:1/none", recorder)
    async with running(sampler):
        sampler.sent(1.0, [message(0)])
        began = time.monotonic()
        await wait_until(lambda: time.monotonic() - began > 3 * LOOK_S)

    assert (sampler.taken, sampler.found) == (1, 0)
    assert recorder.notes["stored"].startswith("0 of 1 sampled")


async def test_a_wrong_address_names_the_option() -> None:
    with pytest.raises(BadArgumentError, match="--database-url"):
        StoredSampler("mysql://h/d", Recorder("r", 0, START_US))
