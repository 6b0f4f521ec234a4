"""The questions, on connections of the query engine; the one object that the hub holds for them.

Every method that yields is an async generator: what is not asked for is not read. A connection is held while a page is
read and not while the caller looks at it, so a caller may stop at any time.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager

from storage.database import Database
from storage.engine import RawConnection, lend
from storage.errors import DatabaseAwayError, QueryError, QueryTooWideError, UnknownSeriesError
from storage.partitions import NEWEST_US, OLDEST_US
from storage.queries import catalogue, history, refused
from storage.queries.buckets import SeriesBuckets, read_buckets
from storage.queries.catalogue import DeviceInfo, MetricInfo
from storage.queries.grid import zone_of
from storage.queries.history import Page
from storage.queries.latest import latest_of
from storage.queries.limits import DEFAULT_LIMITS, QueryLimits, checked_grid
from storage.queries.refused import QuarantineFilter, Refused
from storage.queries.series import SeriesInfo, SeriesName, find_series
from storage.reading import Reading

PAGE_ROWS = 10_000
NAMES_PAGE = 1_000
REFUSED_PAGE = 100
"""Payloads may be 1 MB each."""
SERIES_CHUNK = 500
LATEST_CHUNK = 1_000
EVERYTHING = QuarantineFilter()


class Queries:
    """All methods raise DatabaseAwayError while the database is away, and what the driver raises when it breaks.

    Times are microseconds since 1970 UTC; ranges are [from_us, to_us).
    """

    def __init__(self, database: Database, limits: QueryLimits = DEFAULT_LIMITS) -> None:
        self._database = database
        self._limits = limits

    def _lend(self) -> AbstractAsyncContextManager[RawConnection]:
        if not self._database.up:
            raise DatabaseAwayError(self._database.problem or "it does not answer")
        return lend(self._database.queries)

    async def find(self, names: Sequence[SeriesName]) -> list[SeriesInfo]:
        """Return the series of each (device, metric): one for each unit that it has had."""
        async with self._lend() as connection:
            return await find_series(connection, names)

    async def latest(self, names: Sequence[SeriesName], *, each_unit: bool = False) -> AsyncIterator[Reading]:
        """Yield the newest reading by device time of each (device, metric), or of each unit of it.

        What has no reading is left out.
        """
        _bound("series", len(names), self._limits.latest_series, "ask for fewer at once")
        for at in range(0, len(names), LATEST_CHUNK):
            async with self._lend() as connection:
                series = await find_series(connection, names[at : at + LATEST_CHUNK])
                found = await latest_of(connection, series, self._database.clock.now_us())
            for reading in found if each_unit else _newest(found):
                yield reading

    async def page(
        self,
        device: str,
        metric: str,
        from_us: int,
        to_us: int,
        *,
        rows: int = PAGE_ROWS,
        newest_first: bool = False,
    ) -> Page:
        """Return one page of readings, those of all units in order of time; go on at its `next_us`.

        A few more than `rows` where several have the last time. Raises UnknownSeriesError.
        """
        from_us, to_us = _checked_range(from_us, to_us)
        _bound("rows in a page", rows, self._limits.page_rows, "take smaller pages")
        async with self._lend() as connection:
            series = await find_series(connection, [(device, metric)])
            if not series:
                raise UnknownSeriesError(device, metric)
            return await history.read_page(connection, series, from_us, to_us, rows, newest_first=newest_first)

    async def pages(
        self, device: str, metric: str, from_us: int, to_us: int, *, newest_first: bool = False
    ) -> AsyncIterator[Page]:
        """Yield all pages of readings in the range. Raises UnknownSeriesError."""
        next_us: int | None = to_us if newest_first else from_us
        while next_us is not None and from_us < to_us:
            if newest_first:
                to_us = next_us
            else:
                from_us = next_us
            if from_us >= to_us:
                break
            page = await self.page(device, metric, from_us, to_us, newest_first=newest_first)
            next_us = page.next_us
            yield page

    async def buckets(
        self,
        names: Sequence[SeriesName],
        from_us: int,
        to_us: int,
        *,
        max_points: int | None = None,
        width_us: int | None = None,
        zone: str | None = None,
    ) -> AsyncIterator[SeriesBuckets]:
        """Yield the buckets of each series, `width_us` wide, or as narrow as `max_points` a series allow.

        A (device, metric) that has had several units is a series for each, so no bucket mixes them.
        One of the two must be given. Buckets begin at whole multiples of their width since 1900-01-01 UTC; those of a day
        and more at midnight of the `zone`, when one is given (see `grid`).
        """
        from_us, to_us = _checked_range(from_us, to_us)
        local = None if zone is None else zone_of(zone)
        checked_grid(len(names), from_us, to_us, max_points, width_us, self._limits, local)
        async with self._lend() as connection:
            series = await find_series(connection, names)
        grid = checked_grid(len(series), from_us, to_us, max_points, width_us, self._limits, local)
        for at in range(0, len(series), SERIES_CHUNK):
            async with self._lend() as connection:
                found = await read_buckets(connection, series[at : at + SERIES_CHUNK], from_us, to_us, grid)
            for one in found:
                yield one

    async def devices(self, search: str = "", after: str = "") -> AsyncIterator[DeviceInfo]:
        """Yield devices by name, from behind `after`, whose name holds `search`."""
        while True:
            async with self._lend() as connection:
                page = await catalogue.devices_page(connection, search, after, NAMES_PAGE)
            for device in page:
                yield device
            if len(page) < NAMES_PAGE:
                return
            after = page[-1].name

    async def metrics(self, search: str = "", after: str = "") -> AsyncIterator[MetricInfo]:
        """Yield metrics by name, from behind `after`, whose name holds `search`."""
        while True:
            async with self._lend() as connection:
                page = await catalogue.metrics_page(connection, search, after, NAMES_PAGE)
            for metric in page:
                yield metric
            if len(page) < NAMES_PAGE:
                return
            after = page[-1].name

    async def series(self, device: str, after: str = "") -> AsyncIterator[SeriesInfo]:
        """Yield the series of one device by metric and unit, from behind the metric `after`; none for an unknown device."""
        behind: tuple[str, str | None] = (after, None)
        while True:
            async with self._lend() as connection:
                page = await catalogue.series_page(connection, device, behind, NAMES_PAGE)
            for one in page:
                yield one
            if len(page) < NAMES_PAGE:
                return
            behind = (page[-1].metric, page[-1].unit)

    async def quarantined(
        self, chosen: QuarantineFilter = EVERYTHING, before: Refused | None = None
    ) -> AsyncIterator[Refused]:
        """Yield payloads in quarantine, newest first, from behind `before`."""
        while True:
            async with self._lend() as connection:
                page = await refused.refused_page(connection, chosen, before, REFUSED_PAGE)
            for one in page:
                yield one
            if len(page) < REFUSED_PAGE:
                return
            before = page[-1]


def _newest(readings: Iterable[Reading]) -> Iterable[Reading]:
    """Return the newest of each (device, metric); of two units at one time the one that was registered last."""
    newest: dict[SeriesName, Reading] = {}
    for reading in readings:
        name = (reading.device, reading.metric)
        if name not in newest or newest[name].time_us <= reading.time_us:
            newest[name] = reading
    return newest.values()


def _checked_range(from_us: int, to_us: int) -> tuple[int, int]:
    """Return the range cut to what can be stored; raises QueryError for one that is upside down."""
    if from_us >= to_us:
        raise QueryError("the range is empty: its begin must be before its end")
    from_us, to_us = max(from_us, OLDEST_US), min(to_us, NEWEST_US)
    return (from_us, to_us) if from_us < to_us else (OLDEST_US, OLDEST_US + 1)


def _bound(what: str, asked: float, allowed: float, advice: str) -> None:
    if asked > allowed:
        raise QueryTooWideError(what, asked, allowed, advice)
