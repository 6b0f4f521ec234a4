"""PostgreSQL's binary COPY format, encoded a batch at a time.

Layout (PostgreSQL manual, COPY, "Binary Format"): a 19-byte header, then per row a 16-bit field count and per field a
32-bit length with its bytes, big-endian, then the trailer -1. A timestamptz is a 64-bit count of microseconds since
2000-01-01 UTC; a float8 is IEEE 754.

Rows of fixed size are one numpy record array: 34 bytes a reading, no Python code per row. All columns are NOT NULL.
asyncpg takes the result as `source` because it is a memoryview: given `bytes` it would look for a file of that name.
"""

import struct
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

EPOCH_OFFSET_US: Final = 946_684_800_000_000
"""Microseconds from 1970-01-01 to 2000-01-01."""

HEADER: Final = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8
TRAILER: Final = b"\xff\xff"
NUMBER_ROW: Final = np.dtype(
    [
        ("fields", ">i2"),
        ("series_length", ">i4"),
        ("series", ">i4"),
        ("time_length", ">i4"),
        ("time", ">i8"),
        ("value_length", ">i4"),
        ("value", ">f8"),
    ]
)
_TEXT_PREFIX: Final = struct.Struct(">hiiiqi")
_BLANK_ROW: Final = np.zeros(1, NUMBER_ROW)
_BLANK_ROW["fields"], _BLANK_ROW["series_length"], _BLANK_ROW["time_length"], _BLANK_ROW["value_length"] = 3, 4, 8, 8


def encode_numbers(
    series: npt.NDArray[np.int32], time_us: npt.NDArray[np.int64], value: npt.NDArray[np.float64]
) -> memoryview:
    """Encode (series_id int4, ts timestamptz, value float8) rows; times are microseconds since 1970."""
    rows = np.empty(len(series), NUMBER_ROW)
    rows[:] = _BLANK_ROW
    rows["series"] = series
    rows["time"] = time_us - EPOCH_OFFSET_US
    rows["value"] = value
    return memoryview(b"".join((HEADER, rows.data.cast("B") if len(rows) else b"", TRAILER)))


def encode_texts(rows: Sequence[tuple[int, int, str]]) -> memoryview:
    """Encode (series_id int4, ts timestamptz, value text) rows; raises UnicodeEncodeError for a lone surrogate."""
    parts = [HEADER]
    for series, time_us, value in rows:
        content = value.encode()
        parts.append(_TEXT_PREFIX.pack(3, 4, series, 8, time_us - EPOCH_OFFSET_US, len(content)))
        parts.append(content)
    parts.append(TRAILER)
    return memoryview(b"".join(parts))
