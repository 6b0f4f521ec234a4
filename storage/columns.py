"""From a batch of readings to columns that can be copied: ids looked up, types sorted out, repeats dropped.

The usual batch (numbers only, all series known) passes through calls that loop in C. Everything unusual is found by one
look at the set of value types and falls to a loop in Python, so that one odd reading costs its batch a millisecond and
not its place. Pure: no I/O, the ids come in as a mapping.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final, SupportsFloat

import numpy as np
import numpy.typing as npt

from storage.partitions import NEWEST_US, OLDEST_US
from storage.quarantine import QuarantinedPayload, refused_reading
from storage.reading import Reading
from storage.series import SeriesKey, name_problem

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


@dataclass(frozen=True, slots=True)
class Gathered:
    """The fields of a batch, one list each; `keys` are the series keys."""

    readings: Sequence[Reading]
    keys: list[SeriesKey]
    times: list[int]
    values: list[float | str]


def gather(readings: Sequence[Reading]) -> Gathered:
    """Turn readings into lists. Slices of the flattened batch cost a sixth of `zip(*readings)`, which makes an
    iterator for each of them.
    """
    flat: list[Any] = list(chain.from_iterable(readings))
    keys = list(zip(flat[0::5], flat[1::5], flat[4::5], strict=True))
    return Gathered(readings, keys, flat[2::5], flat[3::5])


def kind_of(value: object) -> str:
    """Return the `series.kind` of a first value."""
    if isinstance(value, bool):
        return "bool"
    return "text" if isinstance(value, str) else "number"


def unknown_kinds(gathered: Gathered, ids: Mapping[SeriesKey, int]) -> dict[SeriesKey, str]:
    """Return key -> kind of the series that have to be registered; keys that cannot be stored are left out."""
    kinds: dict[SeriesKey, str] = {}
    if None in map(ids.get, gathered.keys):
        for key, value in zip(gathered.keys, gathered.values, strict=True):
            if key not in ids and key not in kinds and name_problem(key) is None:
                kinds[key] = kind_of(value)
    return kinds


def to_columns(gathered: Gathered, ids: Mapping[SeriesKey, int], now_us: int) -> Columns:
    """Return the batch as columns; what cannot be stored is among `refused`, with its reason."""
    found = list(map(ids.get, gathered.keys))
    if None not in found and PLAIN_TYPES.issuperset(map(type, gathered.values)):
        try:
            count = len(found)
            series = np.fromiter(found, np.int32, count)
            time_us = np.fromiter(gathered.times, np.int64, count)
            value = np.fromiter(gathered.values, np.float64, count)
        except (OverflowError, TypeError, ValueError):
            pass  # some time or number does not fit: find out which
        else:
            if count == 0 or (time_us.min() >= OLDEST_US and time_us.max() < NEWEST_US):
                return sorted_once(series, time_us, value)
    return _one_by_one(gathered, ids, now_us)


def sorted_once(
    series: npt.NDArray[np.int32], time_us: npt.NDArray[np.int64], value: npt.NDArray[np.float64]
) -> Columns:
    """Sort by (series, time) and keep the first of each pair, as the primary key would."""
    order = np.lexsort((time_us, series))  # stable: the first to come is the first to stay
    series, time_us, value = series[order], time_us[order], value[order]
    fresh = np.ones(len(series), np.bool_)
    np.logical_or(series[1:] != series[:-1], time_us[1:] != time_us[:-1], out=fresh[1:])
    repeats = len(fresh) - int(np.count_nonzero(fresh))
    if repeats:
        series, time_us, value = series[fresh], time_us[fresh], value[fresh]
    return Columns(series, time_us, value, repeats=repeats)


def _one_by_one(gathered: Gathered, ids: Mapping[SeriesKey, int], now_us: int) -> Columns:
    series: list[int] = []
    times: list[int] = []
    numbers: list[float] = []
    texts: dict[tuple[int, int], str] = {}
    refused: list[QuarantinedPayload] = []
    repeats = 0
    for reading, key in zip(gathered.readings, gathered.keys, strict=True):
        series_id = ids.get(key)
        problem = _problem(reading, key, series_id)
        if problem is not None:
            refused.append(refused_reading(reading, *problem, now_us))
        elif series_id is not None and isinstance(reading.value, str):
            pair = (series_id, reading.time_us)
            repeats += pair in texts
            texts.setdefault(pair, reading.value)
        elif series_id is not None:
            series.append(series_id)
            times.append(reading.time_us)
            numbers.append(float(reading.value))
    columns = sorted_once(np.array(series, np.int32), np.array(times, np.int64), np.array(numbers, np.float64))
    columns.texts = [(series_id, time_us, text) for (series_id, time_us), text in sorted(texts.items())]
    columns.refused = refused
    columns.repeats += repeats
    return columns


def _problem(reading: Reading, key: SeriesKey, series_id: int | None) -> tuple[str, str] | None:
    """Return (reason, detail) when the reading cannot be stored."""
    if series_id is None:
        problem = name_problem(key)
        return "name", problem.detail if problem else "the series could not be registered"
    if type(reading.time_us) is not int or not OLDEST_US <= reading.time_us < NEWEST_US:
        return "clock", f"the time {reading.time_us!r} is not in microseconds between 1970 and 2100"
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
