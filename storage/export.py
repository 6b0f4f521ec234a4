"""A range of a series as a file: CSV for everybody, Parquet where pyarrow is installed (the extra `parquet`).

Written page by page, so a range of any length takes the memory of one page. The file appears under its name when it is
complete.
"""

import csv
import io
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from storage.errors import StorageError
from storage.partitions import instant
from storage.queries.history import Page

HEADER: Final = ("device", "metric", "time", "value", "unit")


class PageFile(Protocol):
    """A file that takes pages; `finish` completes it."""

    def write(self, page: Page) -> None: ...
    def finish(self) -> None: ...


class CsvFile:
    """RFC 4180, UTF-8; times in ISO 8601 with microseconds, UTC."""

    def __init__(self, path: Path) -> None:
        self._file: io.TextIOWrapper = path.open("w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._file)
        self._rows.writerow(HEADER)

    def write(self, page: Page) -> None:
        self._rows.writerows(
            (page.device, page.metric, _iso(instant(time_us)), _plain(value), unit)
            for time_us, value, unit in zip(page.times_us, page.values, page.units, strict=True)
        )

    def finish(self) -> None:
        self._file.close()


class ParquetFile:
    """Columns device, metric, unit (dictionary), time (timestamp, µs, UTC), value (double) and text (string)."""

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow as arrow  # noqa: ICN001 - `pa` says nothing
            from pyarrow import parquet
        except ImportError:
            raise StorageError("Parquet needs pyarrow: install telemetry-hub[parquet], or export as csv") from None
        self._arrow = arrow
        name = arrow.dictionary(arrow.int32(), arrow.string())
        self._schema = arrow.schema(
            [
                ("device", name),
                ("metric", name),
                ("time", arrow.timestamp("us", tz="UTC")),
                ("value", arrow.float64()),
                ("text", arrow.string()),
                ("unit", name),
            ]
        )
        self._writer = parquet.ParquetWriter(path, self._schema, compression="zstd")

    def write(self, page: Page) -> None:
        arrow, count = self._arrow, len(page.times_us)
        columns = {
            "device": [page.device] * count,
            "metric": [page.metric] * count,
            "time": page.times_us,
            "value": [None if isinstance(value, str) else float(value) for value in page.values],
            "text": [value if isinstance(value, str) else None for value in page.values],
            "unit": page.units,
        }
        arrays = [arrow.array(columns[field.name], field.type) for field in self._schema]
        self._writer.write_table(arrow.Table.from_arrays(arrays, schema=self._schema))

    def finish(self) -> None:
        self._writer.close()


FORMATS: Final[dict[str, Callable[[Path], PageFile]]] = {"csv": CsvFile, "parquet": ParquetFile}


async def export(pages: AsyncIterator[Page], path: Path, kind: str) -> int:
    """Write the pages and return the number of readings; the file is not there before it is whole."""
    unfinished = path.with_name(f"{path.name}.part")
    file = FORMATS[kind](unfinished)
    written = 0
    try:
        async for page in pages:
            file.write(page)
            written += len(page.times_us)
    except BaseException:
        file.finish()
        unfinished.unlink(missing_ok=True)
        raise
    file.finish()
    unfinished.replace(path)
    return written


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _plain(value: float | str | bool) -> float | str:
    return int(value) if isinstance(value, bool) else value
