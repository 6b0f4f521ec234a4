"""A column of a recording, played again: CSV, or Parquet with the extra `parquet` (pyarrow).

The file is read once for all devices, the first time a sensor of it is made. Not the command `device-sim replay`, which
sends a recording with the times it was recorded at: here the device's clock and rate are the scenario's.
"""

import csv
import math
import random
from array import array
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field, ValidationInfo, field_validator

from device_sim.errors import BadArgumentError
from device_sim.sensors.settings import EachSensor, Sampler

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# 1e11 s is the year 5138; 1e11 ms is 1973: a number belongs to the smallest unit that puts it after 1973.
EPOCH_UNITS_US = ((1e11, 1_000_000.0), (1e14, 1_000.0), (1e17, 1.0), (math.inf, 0.001))


class Column(NamedTuple):
    """One column of a recording; `times_s` from 0, empty when nobody asked for times."""

    values: "array[float]"
    times_s: "array[float]"


class Replay(EachSensor):
    """One row a sample, or with `speed` the row that belongs to the time passed; begins again after the last."""

    kind: Literal["replay"]
    file: Path = Field(strict=False, description="CSV with a header, or Parquet; relative to the scenario's file")
    column: str = Field(default="value", description="name of the column of values, numbers all")
    time_column: str = Field(default="timestamp", description="name of the column of times, needed with `speed`")
    speed: float | None = Field(
        default=None, gt=0.0, description="1 as recorded, 60 a minute a second; without it a row a sample"
    )
    scattered: bool = Field(default=True, description="whether each device begins at a row of its own")

    @field_validator("file")
    @classmethod
    def _beside_the_scenario(cls, file: Path, info: ValidationInfo) -> Path:
        base = info.context.get("base") if info.context else None
        return base / file if isinstance(base, Path) else file

    def read(self) -> Column:
        """Return the column, or raise BadArgumentError that names the file, the line and what is wrong."""
        return _read(self.file, self.column, None if self.speed is None else self.time_column)

    def make(self, rng: random.Random) -> Sampler:
        values, times_s = self.read()
        count = len(values)
        position = rng.randrange(count) if self.scattered else 0
        if self.speed is None:

            def sample_row(_t: float) -> float:
                nonlocal position
                value = values[position]
                position = (position + 1) % count
                return value

            return sample_row
        speed, offset_s, begin = self.speed, times_s[position], -1.0
        # The last row lasts as long as the average row, then the first comes again.
        around_s = times_s[-1] * count / max(count - 1, 1) or 1.0

        def sample_time(t: float) -> float:
            nonlocal begin
            if begin < 0.0:
                begin = t
            return values[bisect_right(times_s, (offset_s + (t - begin) * speed) % around_s) - 1]

        return sample_time


def parse_time_us(text: str | None, where: str) -> int:
    """Return microseconds since the epoch of an ISO 8601 stamp or a number; `where` goes into the error."""
    text = (text or "").strip()
    try:
        number = float(text)
    except ValueError:
        pass
    else:
        if math.isfinite(number):
            return round(number * next(us for limit, us in EPOCH_UNITS_US if abs(number) < limit))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        problem = f"{where}: timestamp {text!r} is neither ISO 8601 nor a number since the epoch"
        raise BadArgumentError("FILE", problem) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(microseconds=1)


@lru_cache(maxsize=16)
def _read(path: Path, column: str, time_column: str | None) -> Column:
    names = [column] if time_column is None else [column, time_column]
    columns = _parquet(path, names) if path.suffix == ".parquet" else _csv(path, names)
    values: array[float] = array("d")
    times_s: array[float] = array("d")
    for line, row in enumerate(zip(*columns, strict=True), start=2):
        try:
            values.append(float(row[0]))
        except ValueError:
            raise BadArgumentError("file", f"{path}, line {line}: {column} {row[0]!r} is not a number") from None
        if time_column is not None:
            times_s.append(parse_time_us(row[1], f"{path}, line {line}") / 1e6)
    if not values:
        raise BadArgumentError("file", f"{path} has no rows")
    first = times_s[0] if times_s else 0.0
    times_s = array("d", (time - first for time in times_s))
    if any(later < earlier for earlier, later in pairwise(times_s)):
        raise BadArgumentError("file", f"{path}: the times of {time_column} go back")
    return Column(values, times_s)


def _csv(path: Path, names: list[str]) -> list[list[str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.DictReader(file)
            for name in names:
                if name not in (lines.fieldnames or ()):
                    raise BadArgumentError("file", f"{path} has no column {name!r} in its first line")
            rows = [[line[name] or "" for name in names] for line in lines]
    except OSError as error:
        raise BadArgumentError("file", f"cannot read {path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadArgumentError("file", f"{path} is not a CSV file in UTF-8: {error}") from error
    return [[row[number] for row in rows] for number in range(len(names))]


def _parquet(path: Path, names: list[str]) -> list[list[str]]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise BadArgumentError("file", f"{path} needs the extra parquet: pip install telemetry-hub[parquet]") from None
    try:
        table = parquet.read_table(path, columns=names)
    except OSError as error:
        raise BadArgumentError("file", f"cannot read {path}: {error}") from error
    except pa.ArrowException as error:
        raise BadArgumentError("file", f"{path} is not a Parquet file: {error}") from error
    missing = [name for name in names if name not in table.column_names]
    if missing:
        raise BadArgumentError("file", f"{path} has no column {missing[0]!r}")
    return [[str(value) for value in table.column(name).to_pylist()] for name in names]
