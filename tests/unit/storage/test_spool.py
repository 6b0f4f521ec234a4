"""The spool: durable, in order, bounded, private, and not stopped by a broken file."""

import math
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.device_state import DeviceState
from storage.errors import SpoolError
from storage.quarantine import QuarantinedPayload
from storage.reading import Reading
from storage.spool import Spool, decode, encode

ONE = Reading("d", "m", 1, 1.0)
STATE = DeviceState("d", False, "lost", 7)
ITEM = QuarantinedPayload("t", b"\0\xff", "decode", 5, "why", "application/cbor", "direct", retained=True)


def corrupt_files(directory: Path) -> list[Path]:
    return list(directory.glob("spool.sqlite3.corrupt-*"))


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    spool = Spool(tmp_path / "spool.sqlite3", 1 << 20)
    await spool.open()
    yield spool
    await spool.close()


@given(
    st.lists(
        st.builds(
            Reading,
            st.text(),
            st.text(),
            st.integers(),
            st.one_of(st.floats(allow_nan=False), st.integers(), st.booleans(), st.text()),
            st.text(),
        )
    )
)
def test_a_batch_comes_back_as_it_was(readings: list[Reading]) -> None:
    back, items, states = decode(encode(readings, [ITEM], [STATE]))

    assert back == readings
    assert [type(reading.value) for reading in back] == [type(reading.value) for reading in readings]
    assert items == [ITEM]
    assert states == [STATE]


def test_not_a_number_comes_back() -> None:
    ((reading,), _, _) = decode(encode([ONE._replace(value=math.nan)], [], []))

    assert isinstance(reading.value, float)
    assert math.isnan(reading.value)


@pytest.mark.parametrize("blob", [b"", b"x", encode([ONE], [], [])[:-1], b"x\x9c"])
def test_anything_else_is_no_batch(blob: bytes) -> None:
    with pytest.raises(ValueError, match="not a spooled batch"):
        decode(blob)


async def test_batches_leave_in_the_order_they_came_and_survive_a_restart(spool: Spool) -> None:
    for number in range(20):
        await spool.put([ONE._replace(time_us=number)], [])
    assert (spool.batches, spool.rows) == (20, 20)

    again = Spool(spool.path, 1 << 20)
    await again.open()
    seen = []
    while batches := await again.oldest():
        seen += [batch.readings[0].time_us for batch in batches]
        await again.remove([batch.number for batch in batches])
    await again.close()

    assert seen == list(range(20))
    assert (again.batches, again.rows, again.bytes) == (0, 0, 0)


async def test_the_file_is_private_and_every_commit_is_synced(spool: Spool) -> None:
    assert spool.path.stat().st_mode & 0o777 == 0o600
    assert spool._sql.execute("PRAGMA synchronous").fetchone() == (2,)
    assert spool._sql.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_a_full_spool_refuses_and_takes_again_when_there_is_room(tmp_path: Path) -> None:
    blob = len(encode([ONE], [], []))
    spool = Spool(tmp_path / "small", 2 * blob)
    await spool.open()
    await spool.put([ONE], [])
    await spool.put([ONE], [])
    with pytest.raises(SpoolError, match="full"):
        await spool.put([ONE], [])
    problems = [spool.problem]
    assert spool.bytes == 2 * blob

    await spool.remove([batch.number for batch in await spool.oldest()])
    await spool.put([ONE], [])
    problems.append(spool.problem)
    await spool.close()

    assert problems == [f"full: {2 * blob} of {2 * blob} bytes used", None]


async def test_a_broken_file_is_moved_aside(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite3"
    path.write_bytes(b"this is no database" * 100)
    spool = Spool(path, 1 << 20)
    await spool.open()
    await spool.put([ONE], [])
    await spool.close()

    assert len(corrupt_files(tmp_path)) == 1


async def test_a_broken_batch_is_kept_for_people_and_does_not_block(spool: Spool) -> None:
    await spool.put([ONE], [])
    await spool.put([ONE], [])
    with sqlite3.connect(spool.path) as database:
        database.execute("UPDATE batches SET body = x'00ff' WHERE number = 1")
    database.close()

    first, second = await spool.oldest()

    assert first.readings == []
    assert first.quarantined[0].payload == b"\x00\xff"
    assert second.readings == [ONE]
