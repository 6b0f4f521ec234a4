"""From names to series: what people ask for is (device, metric); each unit that it has had is a series of its own.

Looked up for each question: a remembered answer would not have the series of a unit that came since.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

from storage.engine import RawConnection

SeriesName: TypeAlias = tuple[str, str]
"""(device, metric)"""


class SeriesInfo(NamedTuple):
    """A series as the database knows it."""

    device: str
    metric: str
    kind: str
    """`number`, `text` or `bool`: the type of its first value."""
    unit: str
    id: int


async def find_series(connection: RawConnection, names: Sequence[SeriesName]) -> list[SeriesInfo]:
    """Return the series of the names, each once, in the order asked for; those of one name in order of their making."""
    wanted = list(dict.fromkeys(names))
    rows = await connection.fetch(_FIND, [device for device, _ in wanted], [metric for _, metric in wanted])
    return [SeriesInfo(*row) for row in rows]


_FIND: Final = """
    SELECT wanted.device, wanted.metric, series.kind, series.unit, series.id
      FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted(device, metric, place)
      JOIN devices ON devices.name = wanted.device
      JOIN series ON series.device_id = devices.id AND series.metric = wanted.metric
     ORDER BY wanted.place, series.id
"""
