"""Readings as a file or a stream: CSV for everybody, Parquet where pyarrow is installed (the extra `parquet`).

Written page by page, so a range of any length takes the memory of one page. A file appears under its name when it is
complete.

A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula, whoever sent it: names, units and texts
come from devices, so in CSV an apostrophe is put before them, which the spreadsheet does not show. Numbers stay.
"""

import csv
import io
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from storage.errors import StorageError
from storage.partitions import instant
from storage.queries.history import Page

HEADER: Final = ("device", "metric", "time", "value", "unit")
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Tabs and line ends are skipped before a formula, and some programs read the full-width signs as the others."""


class PageFile(Protocol):
    """A stream that takes pages; `finish` completes it and leaves it open."""

    def write(self, page: Page) -> None: ...
    def finish(self) -> None: ...


class CsvFile:
    """RFC 4180, UTF-8; times in ISO 8601 with microseconds, UTC. Cells are disarmed unless they are wanted `raw`."""

    def __init__(self, stream: BinaryIO, *, raw: bool = False) -> None:
        self._text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
        self._rows = csv.writer(self._text)
        self._rows.writerow(HEADER)
        self._cell: Callable[[str], str] = str if raw else disarmed

    def write(self, page: Page) -> None:
        cell = self._cell
        device, metric = cell(page.device), cell(page.metric)
        units = {unit: cell(unit) for unit in set(page.units)}
        self._rows.writerows(
            (
                device,
                metric,
                _iso(instant(time_us)),
                cell(value) if isinstance(value, str) else _plain(value),
                units[unit],
            )
            for time_us, value, unit in zip(page.times_us, page.values, page.units, strict=True)
        )

    def finish(self) -> None:
        self._text.detach()


class ParquetFile:
    """Columns device, metric, unit (dictionary), time (timestamp, µs, UTC), value (double) and text (string)."""

    def __init__(self, stream: BinaryIO, *, raw: bool = False) -> None:  # noqa: ARG002 - no spreadsheet runs its texts
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
        self._writer = parquet.ParquetWriter(stream, self._schema, compression="zstd")

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


FORMATS: Final[dict[str, Callable[..., PageFile]]] = {"csv": CsvFile, "parquet": ParquetFile}


async def export(pages: AsyncIterator[Page], path: Path, kind: str, *, raw: bool = False) -> int:
    """Write the pages to a file and return the number of readings; it is not there before it is whole."""
    unfinished = path.with_name(f"{path.name}.part")
    try:
        with unfinished.open("wb") as stream:
            written = await export_to(pages, stream, kind, raw=raw)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    unfinished.replace(path)
    return written


async def export_to(pages: AsyncIterator[Page], stream: BinaryIO, kind: str, *, raw: bool = False) -> int:
    """Write the pages to a stream as they come, and return the number of readings."""
    file = FORMATS[kind](stream, raw=raw)
    written = 0
    try:
        async for page in pages:
            file.write(page)
            written += len(page.times_us)
    finally:
        file.finish()
    return written


def disarmed(text: str) -> str:
    """Return a text as a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _plain(value: float | bool) -> float:
    return int(value) if isinstance(value, bool) else value
