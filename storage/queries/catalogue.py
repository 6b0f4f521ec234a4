"""Which devices, metrics and series there are, searched by a part of their name, in pages by name.

A search is a case-blind substring; it reads the names of all devices in the worst case (20 ms for 100,000), and stops at
the page's end. Counting is left out where it would read everything.
"""

from typing import Final, NamedTuple

from storage.engine import RawConnection
from storage.partitions import microseconds
from storage.queries.series import SeriesInfo


class DeviceInfo(NamedTuple):
    """A device that has sent readings."""

    name: str
    created_us: int
    """When it was first seen, hub time."""
    series: int
    """Metrics, whatever units they have had."""
    online: bool | None
    """What an availability topic said last; None: no topic did."""
    state: str
    """The format's word for it, empty if there is none."""
    state_us: int | None


class MetricInfo(NamedTuple):
    """A metric, over all devices."""

    name: str
    series: int
    units: tuple[str, ...]
    """All units of its series, in order; without the empty one."""


async def devices_page(connection: RawConnection, search: str, after: str, rows: int) -> list[DeviceInfo]:
    found = await connection.fetch(_DEVICES, search.lower(), after, rows)
    return [
        DeviceInfo(name, microseconds(created), count, online, state or "", since and microseconds(since))
        for name, created, count, online, state, since in found
    ]


async def metrics_page(connection: RawConnection, search: str, after: str, rows: int) -> list[MetricInfo]:
    found = await connection.fetch(_METRICS, search.lower(), after, rows)
    return [MetricInfo(name, count, tuple(units)) for name, count, units in found]


async def series_page(
    connection: RawConnection, device: str, after: tuple[str, str | None], rows: int
) -> list[SeriesInfo]:
    """Return the series of one device behind a (metric, unit), in that order; None is behind all units of the metric."""
    return [SeriesInfo(*row) for row in await connection.fetch(_SERIES, device, *after, rows)]


_DEVICES: Final = """
    SELECT name, created, (SELECT count(DISTINCT metric) FROM series WHERE device_id = devices.id), online, state, state_ts
      FROM devices
     WHERE name > $2 AND strpos(lower(name), $1) > 0
     ORDER BY name LIMIT $3
"""
_METRICS: Final = """
    SELECT metric, count(DISTINCT device_id),
           coalesce(array_agg(DISTINCT unit ORDER BY unit) FILTER (WHERE unit <> ''), '{}')
      FROM series
     WHERE metric > $2 AND strpos(lower(metric), $1) > 0
     GROUP BY metric ORDER BY metric LIMIT $3
"""
_SERIES: Final = """
    SELECT devices.name, metric, kind, unit, series.id
      FROM series JOIN devices ON devices.id = device_id
     WHERE devices.name = $1 AND (metric > $2 OR metric = $2 AND unit > $3)
     ORDER BY metric, unit LIMIT $4
"""
