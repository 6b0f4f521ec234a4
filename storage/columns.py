"""From a batch of readings to columns that can be copied: ids looked up, types sorted out, repeats dropped.

The usual batch (numbers only, all series known) passes through calls that loop in C. Everything unusual is found by one
look at the set of value types and falls to a loop in Python, so that one odd reading costs its batch a millisecond and
not its place. Pure: no I/O, the ids come in as a mapping.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final, SupportsFloat

import numpy as np
import numpy.typing as npt

from storage.partitions import NEWEST_US, OLDEST_US
from storage.quarantine import QuarantinedPayload, refused_reading
from storage.reading import Reading
from storage.series import SeriesKey, name_problem

_KEY_LIMIT: Final = 1 << 62
PLAIN_TYPES: Final = frozenset({int, float, bool})


@dataclass(slots=True)
class Columns:
    """A batch sorted by (series, time), each pair once; the order keeps index pages warm and writers from deadlock."""

    series: npt.NDArray[np.int32]
    time_us: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    texts: list[tuple[int, int, str]] = field(default_factory=list)
    refused: list[QuarantinedPayload] = field(default_factory=list)
    repeats: int = 0
    conflicts: int = 0
    """Rows left out whose time another row of the series has, with another value."""


key_of: Final = itemgetter(0, 1, 4)
"""The series key (device, metric, unit) of a reading."""
_time_of: Final = itemgetter(2)
_value_of: Final = itemgetter(3)


def look_up(readings: Sequence[Reading], ids: Mapping[SeriesKey, int]) -> list[int | None]:
    """Return the series id of each reading, None where it is unknown.

    The keys are made and dropped one by one inside `map`: no list of tuples for the garbage collector to walk.
    """
    return list(map(ids.get, map(key_of, readings)))


def kind_of(value: object) -> str:
    """Return the `series.kind` of a first value."""
    if isinstance(value, bool):
        return "bool"
    return "text" if isinstance(value, str) else "number"


def unknown_kinds(readings: Sequence[Reading], ids: Mapping[SeriesKey, int]) -> dict[SeriesKey, str]:
    """Return key -> kind of the series that have to be registered; keys that cannot be stored are left out."""
    kinds: dict[SeriesKey, str] = {}
    for reading in readings:
        key = key_of(reading)
        if key not in ids and key not in kinds and name_problem(key) is None:
            kinds[key] = kind_of(reading.value)
    return kinds


def to_columns(
    readings: Sequence[Reading],
    found: Sequence[int | None],
    now_us: int,
    oldest_us: int = OLDEST_US,
    *,
    last_wins: bool = False,
) -> Columns:
    """Return the batch as columns, given the series id of each reading (None: the series cannot be stored).

    What cannot be stored is among `refused`, with its reason: readings older than `oldest_us` too, because retention
    would drop them at once, and their rollups would be computed from what is left of their hour.
    """
    values = list(map(_value_of, readings))
    # Ids begin at 1, and all() is quicker than `None in`, which compares.
    if all(found) and PLAIN_TYPES.issuperset(map(type, values)):
        try:
            count = len(found)
            series = np.fromiter(found, np.int32, count)
            time_us = np.fromiter(map(_time_of, readings), np.int64, count)
            value = np.fromiter(values, np.float64, count)
        except (OverflowError, TypeError, ValueError):
            pass  # some time or number does not fit: find out which
        else:
            if count == 0 or (time_us.min() >= oldest_us and time_us.max() < NEWEST_US):
                return sorted_once(series, time_us, value, last_wins=last_wins)
    return _one_by_one(readings, found, now_us, oldest_us, last_wins=last_wins)


def sorted_once(
    series: npt.NDArray[np.int32],
    time_us: npt.NDArray[np.int64],
    value: npt.NDArray[np.float64],
    *,
    last_wins: bool = False,
) -> Columns:
    """Sort by (series, time) and keep the first of each pair, as the primary key would, or the last."""
    if len(series) < 2:
        return Columns(series, time_us, value)
    first_us = int(time_us.min())
    span = int(time_us.max()) - first_us + 1
    if int(series.max()) * span < _KEY_LIMIT:
        # One sort of one number, four times as quick as lexsort's two.
        key = series.astype(np.int64) * span + (time_us - first_us)
        order = np.argsort(key, kind="stable")  # stable: the first to come is the first to stay
        key = key[order]
        fresh = np.ones(len(series), np.bool_)
        np.not_equal(key[1:], key[:-1], out=fresh[1:])
        series, time_us, value = series[order], time_us[order], value[order]
    else:
        order = np.lexsort((time_us, series))  # stable too
        series, time_us, value = series[order], time_us[order], value[order]
        fresh = np.ones(len(series), np.bool_)
        np.logical_or(series[1:] != series[:-1], time_us[1:] != time_us[:-1], out=fresh[1:])
    repeats = len(fresh) - int(np.count_nonzero(fresh))
    conflicts = 0
    if repeats:
        kept = np.append(fresh[1:], True) if last_wins else fresh
        values = value[kept]
        held = values[np.cumsum(fresh) - 1]
        conflicts = int(np.count_nonzero((value != held) & ~(np.isnan(value) & np.isnan(held))))
        series, time_us, value = series[kept], time_us[kept], values
    return Columns(series, time_us, value, repeats=repeats - conflicts, conflicts=conflicts)


def _one_by_one(
    readings: Sequence[Reading], found: Sequence[int | None], now_us: int, oldest_us: int, *, last_wins: bool
) -> Columns:
    series: list[int] = []
    times: list[int] = []
    numbers: list[float] = []
    texts: dict[tuple[int, int], str] = {}
    refused: list[QuarantinedPayload] = []
    repeats = conflicts = 0
    for reading, series_id in zip(readings, found, strict=True):
        problem = _problem(reading, series_id, oldest_us)
        if problem is not None:
            refused.append(refused_reading(reading, *problem, now_us))
        elif series_id is not None and isinstance(reading.value, str):
            pair = (series_id, reading.time_us)
            if pair not in texts:
                texts[pair] = reading.value
            elif texts[pair] == reading.value:
                repeats += 1
            else:
                conflicts += 1
                if last_wins:
                    texts[pair] = reading.value
        elif series_id is not None:
            series.append(series_id)
            times.append(reading.time_us)
            numbers.append(float(reading.value))
    columns = sorted_once(
        np.array(series, np.int32), np.array(times, np.int64), np.array(numbers, np.float64), last_wins=last_wins
    )
    columns.texts = [(series_id, time_us, text) for (series_id, time_us), text in sorted(texts.items())]
    columns.refused = refused
    columns.repeats += repeats
    columns.conflicts += conflicts
    return columns


def _problem(reading: Reading, series_id: int | None, oldest_us: int) -> tuple[str, str] | None:
    """Return (reason, detail) when the reading cannot be stored."""
    if series_id is None:
        problem = name_problem(key_of(reading))
        return "name", problem.detail if problem else "the series could not be registered"
    if type(reading.time_us) is not int or not OLDEST_US <= reading.time_us < NEWEST_US:
        return "clock", f"the time {reading.time_us!r} is not in microseconds between 1970 and 2100"
    if reading.time_us < oldest_us:
        return "expired", "the time is older than readings are kept (storage.keep_readings)"
    detail = _value_problem(reading.value)
    return ("value", detail) if detail else None


def _value_problem(value: object) -> str:
    if isinstance(value, str):
        if "\0" in value:
            return "the text holds a NUL character"
        try:
            value.encode()
        except UnicodeEncodeError:
            return "the text holds a lone surrogate"
        return ""
    if not isinstance(value, SupportsFloat):
        return f"{type(value).__name__} is neither a number nor a text"
    try:
        float(value)
    except (OverflowError, TypeError, ValueError) as error:
        return str(error)
    return ""
