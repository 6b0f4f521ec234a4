"""Series: the integer that stands for (device, metric) in each reading, registered in bulk, remembered in memory.

The cache's key holds the unit too: a reading with a new unit misses, and the registration takes the unit over, so the
hot path compares nothing. The cache is bounded; when it is full the oldest quarter goes.
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

    async def register(self, connection: RawConnection, kinds: Mapping[SeriesKey, str]) -> dict[SeriesKey, int]:
        """Look up the series of `kinds` (key -> kind), make the missing ones, remember and return all of them."""
        found = await register_series(connection, kinds)
        self.remember(found)
        return found


async def register_series(connection: RawConnection, kinds: Mapping[SeriesKey, str]) -> dict[SeriesKey, int]:
    """Return the ids of all keys; new devices and series are inserted in sorted order, so that hubs cannot deadlock.

    Looking up comes first: an INSERT that meets a conflict uses up a number of the id sequence all the same.
    """
    keys = sorted(kinds)
    found = await _look_up(connection, keys)
    missing = [key for key in keys if found.get(key[:2], (0, ""))[0] == 0]
    renamed = [key for key in keys if key[:2] in found and key[2] and found[key[:2]][1] != key[2]]
    if missing or renamed:
        async with connection.transaction():
            await connection.execute(_INSERT_DEVICES, sorted({key[0] for key in missing}))
            await connection.execute(
                _INSERT_SERIES, *_columns(missing), [kinds[key] for key in missing], [key[2] for key in missing]
            )
            await connection.execute(_UPDATE_UNITS, *_columns(renamed), [key[2] for key in renamed])
        found |= await _look_up(connection, missing)
    return {key: found[key[:2]][0] for key in keys}


async def _look_up(
    connection: RawConnection, keys: Collection[SeriesKey]
) -> dict[tuple[str, str] | tuple[str, ...], tuple[int, str]]:
    rows = await connection.fetch(_LOOK_UP, *_columns(keys))
    return {(row["device"], row["metric"]): (row["id"], row["unit"]) for row in rows}


def _columns(keys: Collection[SeriesKey]) -> tuple[list[str], list[str]]:
    return [key[0] for key in keys], [key[1] for key in keys]


_LOOK_UP = """
    SELECT series.id, devices.name AS device, series.metric, series.unit
      FROM unnest($1::text[], $2::text[]) AS wanted(device, metric)
      JOIN devices ON devices.name = wanted.device
      JOIN series ON series.device_id = devices.id AND series.metric = wanted.metric
"""
_INSERT_DEVICES = """
    INSERT INTO devices (name)
    SELECT name FROM unnest($1::text[]) AS wanted(name)
     WHERE NOT EXISTS (SELECT FROM devices WHERE devices.name = wanted.name)
    ON CONFLICT DO NOTHING
"""
_INSERT_SERIES = """
    INSERT INTO series (device_id, metric, kind, unit)
    SELECT devices.id, wanted.metric, wanted.kind, wanted.unit
      FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS wanted(device, metric, kind, unit)
      JOIN devices ON devices.name = wanted.device
    ON CONFLICT DO NOTHING
"""
_UPDATE_UNITS = """
    UPDATE series SET unit = wanted.unit
      FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted(device, metric, unit)
      JOIN devices ON devices.name = wanted.device
     WHERE series.device_id = devices.id AND series.metric = wanted.metric AND series.unit <> wanted.unit
"""
