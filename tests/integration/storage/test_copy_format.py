"""What the encoder writes, Postgres reads and asyncpg decodes: all times, all doubles."""

import asyncio
import math
import struct
from datetime import UTC, datetime, timedelta

import asyncpg
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.copy_format import encode_numbers, encode_texts
from storage.partitions import EPOCH

# All that a datetime can show: years 1 to 9999.
FIRST_US = (datetime(1, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
LAST_US = (datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
series = st.integers(-(2**31), 2**31 - 1)
times = st.one_of(st.integers(FIRST_US, LAST_US), st.sampled_from([FIRST_US, LAST_US, 0, -1]))
numbers = st.lists(st.tuples(series, times, st.floats(allow_nan=True, allow_infinity=True)), max_size=20)
texts = st.lists(st.tuples(series, times, st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))))


def bits(value: float) -> bytes:
    return b"nan" if math.isnan(value) else struct.pack(">d", value)


async def round_trip(url: str, kind: str, data: memoryview) -> list[tuple[int, int, object]]:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"CREATE TEMP TABLE t (n serial, series_id int4, ts timestamptz, value {kind})")
        await connection.copy_to_table(
            "t",
            source=data,  # type: ignore[arg-type]
            columns=["series_id", "ts", "value"],
            format="binary",
        )
        rows = await connection.fetch("SELECT series_id, ts, value FROM t ORDER BY n")
    finally:
        await connection.close()
    return [(row[0], (row[1] - EPOCH) // timedelta(microseconds=1), row[2]) for row in rows]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=numbers)
def test_numbers_come_back_bit_by_bit(postgres_server_url: str, rows: list[tuple[int, int, float]]) -> None:
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    data = encode_numbers(np.array(columns[0], np.int32), np.array(columns[1], np.int64), np.array(columns[2], float))

    back = asyncio.run(round_trip(postgres_server_url, "float8", data))

    assert [(*row[:2], bits(row[2])) for row in rows] == [(*row[:2], bits(float(str(row[2])))) for row in back]


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=texts)
def test_texts_come_back(postgres_server_url: str, rows: list[tuple[int, int, str]]) -> None:
    assert rows == asyncio.run(round_trip(postgres_server_url, "text", encode_texts(rows)))
