"""Rows out of Postgres as numpy arrays: binary COPY of a query whose columns have fixed sizes and hold no NULL.

The counterpart of `copy_format`, for whoever wants thousands of rows: no Python object is made for a row. A query's
parameters are written into its text, which is why only numbers and times made here may become part of one
(`time_literal`, `ids_literal`), never a text from outside.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from storage.copy_format import EPOCH_OFFSET_US, HEADER, TRAILER
from storage.engine import RawConnection
from storage.partitions import instant

Rows: TypeAlias = npt.NDArray[np.void]
SIZES: Final = {"i4": 4, "i8": 8, "f8": 8}


@lru_cache(maxsize=64)
def row_type(*columns: tuple[str, str]) -> np.dtype[np.void]:
    """Return the layout of a row with the given (name, "i4" | "i8" | "f8") columns; timestamptz is "i8"."""
    fields: list[tuple[str, str]] = [("fields", ">i2")]
    for name, kind in columns:
        fields += [(f"{name} size", ">i4"), (name, f">{kind}")]
    return np.dtype(fields)


def parse(data: bytes | bytearray, layout: np.dtype[np.void]) -> Rows:
    """Return the rows of one complete binary COPY; ValueError if they do not have the layout."""
    if not data.startswith(HEADER) or not data.endswith(TRAILER):
        raise ValueError("this is not one complete binary COPY")
    body = memoryview(data)[len(HEADER) : -len(TRAILER)]
    if len(body) % layout.itemsize:
        raise ValueError(f"rows of another size than {layout.itemsize} bytes, or a NULL among them")
    return np.frombuffer(body, layout)


async def copy_rows(connection: RawConnection, query: str, layout: np.dtype[np.void]) -> Rows:
    """Run the query and return its rows; the caller bounds their number."""
    data = bytearray()

    async def take(chunk: bytes) -> None:
        data.extend(chunk)

    output: Any = take  # asyncpg's stubs name the type of its callable wrongly
    await connection.copy_from_query(query, output=output, format="binary")
    return parse(data, layout)


def times_us(column: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return a timestamptz column as microseconds since 1970, in the machine's byte order."""
    return column.astype(np.int64) + EPOCH_OFFSET_US


def time_literal(time_us: int) -> str:
    """Return an instant as SQL."""
    return f"timestamptz '{instant(int(time_us)).isoformat()}'"


def ids_literal(ids: Iterable[int]) -> str:
    """Return series ids as an SQL array."""
    return f"'{{{','.join(str(int(number)) for number in ids)}}}'::int4[]"
