"""Series: the integer that stands for (device, metric, unit) in each reading, registered in bulk, remembered in memory.

The unit is a part of the name: a reading keeps the unit that it came with, whatever comes later or late. The cache is
bounded; when it is full the oldest quarter goes.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

from storage.engine import RawConnection

SeriesKey: TypeAlias = tuple[str, str, str]
"""(device, metric, unit)"""

NAME_BYTES: Final = 1000
"""A longer name would not fit an index entry together with its neighbour (a third of a page)."""
UNIT_BYTES: Final = 200


@dataclass(frozen=True, slots=True)
class NameProblem:
    """Why a device, metric or unit cannot be stored."""

    detail: str


def name_problem(key: SeriesKey) -> NameProblem | None:
    """Return what keeps the key out of the database, None if nothing does."""
    for what, name, limit in zip(("device", "metric", "unit"), key, (NAME_BYTES, NAME_BYTES, UNIT_BYTES), strict=True):
        try:
            size = len(name.encode())
        except UnicodeEncodeError:
            return NameProblem(f"the {what} name holds a lone surrogate")
        if size > limit:
            return NameProblem(f"the {what} name has {size} bytes, {limit} are allowed")
        if "\0" in name:
            return NameProblem(f"the {what} name holds a NUL character")
        if not name and what != "unit":
            return NameProblem(f"the {what} name is empty")
    return None


class SeriesCache:
    """The ids known in this process, at most `limit` of them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.ids: dict[SeriesKey, int] = {}

    def remember(self, found: Mapping[SeriesKey, int]) -> None:
        self.ids.update(found)
        if len(self.ids) > self._limit:
            for key in list(islice(self.ids, len(self.ids) - self._limit + self._limit // 4)):
                del self.ids[key]

    def forget(self) -> None:
        self.ids.clear()


async def register_series(connection: RawConnection, kinds: Mapping[SeriesKey, str]) -> dict[SeriesKey, int]:
    """Return the ids of all keys; new devices and series are inserted in sorted order, so that hubs cannot deadlock.

    Looking up comes first: an INSERT that meets a conflict uses up a number of the id sequence all the same.
    """
    keys = sorted(kinds)
    found = await _look_up(connection, keys)
    if missing := [key for key in keys if key not in found]:
        async with connection.transaction():
            await connection.execute(_INSERT_DEVICES, sorted({device for device, _, _ in missing}))
            await connection.execute(_INSERT_SERIES, *_columns(missing), [kinds[key] for key in missing])
        found |= await _look_up(connection, missing)
    return found


async def _look_up(connection: RawConnection, keys: Collection[SeriesKey]) -> dict[SeriesKey, int]:
    rows = await connection.fetch(_LOOK_UP, *_columns(keys))
    return {(device, metric, unit): number for device, metric, unit, number in rows}


def _columns(keys: Collection[SeriesKey]) -> tuple[list[str], ...]:
    devices, metrics, units = map(list, zip(*keys, strict=True))
    return devices, metrics, units


_LOOK_UP = """
    SELECT wanted.device, wanted.metric, wanted.unit, series.id
      FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted(device, metric, unit)
      JOIN devices ON devices.name = wanted.device
      JOIN series ON series.device_id = devices.id AND series.metric = wanted.metric AND series.unit = wanted.unit
"""
_INSERT_DEVICES = """
    INSERT INTO devices (name)
    SELECT name FROM unnest($1::text[]) AS wanted(name)
     WHERE NOT EXISTS (SELECT FROM devices WHERE devices.name = wanted.name)
    ON CONFLICT DO NOTHING
"""
_INSERT_SERIES = """
    INSERT INTO series (device_id, metric, unit, kind)
    SELECT devices.id, wanted.metric, wanted.unit, wanted.kind
      FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS wanted(device, metric, unit, kind)
      JOIN devices ON devices.name = wanted.device
    ON CONFLICT DO NOTHING
"""
