"""The last reading of each series: for subscribers of `/topic/readings/…` that ask `replay:last`, and to tell what is late.

Readings are encoded only when somebody watches, so the broker has no last message of most series; this has the reading,
newest by device time, and encodes it when it is asked for. After a restart it is filled from the database, the units of
series included.

Bounded in series: full means forget all and learn again, as the pipeline's memory of topics.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from operator import attrgetter
from typing import Final, Protocol

from hub.stomp.frames import UserHeaders
from hub.telemetry.readings_topic import Series
from storage.reading import Reading

MAX_SERIES: Final = 200_000
FILL_SERIES: Final = 50_000  # looked up at start: enough for a first page, little work for the database
_CHUNK: Final = 1_000
READING_HEADERS: Final = UserHeaders((("content-type", "application/json"),))


class NamedSeries(Protocol):
    """A series as the catalogue knows it."""

    @property
    def device(self) -> str: ...
    @property
    def metric(self) -> str: ...


class NamedDevice(Protocol):
    """A device as the catalogue knows it."""

    @property
    def name(self) -> str: ...


class Catalogue(Protocol):
    """The part of the store's queries that is needed to fill it."""

    def devices(self) -> AsyncIterator[NamedDevice]: ...
    def series(self, device: str) -> AsyncIterator[NamedSeries]: ...
    def latest(self, names: Sequence[tuple[str, str]], *, each_unit: bool = False) -> AsyncIterator[Reading]: ...


class LastReadings:
    """All known series with their last readings."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str], Series] = {}

    def __len__(self) -> int:
        return len(self._series)

    @property
    def full(self) -> bool:
        return len(self._series) >= MAX_SERIES

    def series(self, device: str, metric: str) -> Series:
        """Give a series, known from now on. The names must be checked."""
        series = self._series.get((device, metric))
        if series is None:
            series = self._series[device, metric] = Series(device, metric)
        return series

    def clear(self) -> None:
        """Forget all."""
        self._series.clear()

    def learn(self, reading: Reading) -> None:
        """Take a reading from the database, unless a newer one has come."""
        if self.full:
            return
        series = self.series(reading.device, reading.metric)
        series.unit = reading.unit or series.unit
        if series.last is None or series.last.time_us < reading.time_us:
            series.last = reading

    async def fill(self, catalogue: Catalogue) -> None:
        """Learn from the database; raises what the catalogue raises."""
        names: list[tuple[str, str]] = []
        count = 0
        async for device in catalogue.devices():
            names += [(series.device, series.metric) async for series in catalogue.series(device.name)]
            if len(names) >= _CHUNK:
                count += len(names)
                await self._learn_all(catalogue, names)
                names = []
            if count >= FILL_SERIES:
                return
        if names:
            await self._learn_all(catalogue, names)

    def messages(self, matches: Callable[[str], bool]) -> list[tuple[str, bytes, UserHeaders]]:
        """Give destination, body and headers of the last reading of each series whose destination matches."""
        return [
            (series.destination, series.body_of(series.last), READING_HEADERS)
            for series in self._series.values()
            if series.last is not None and matches(series.destination)
        ]

    async def _learn_all(self, catalogue: Catalogue, names: list[tuple[str, str]]) -> None:
        found = [reading async for reading in catalogue.latest(names, each_unit=True)]
        for reading in sorted(found, key=attrgetter("time_us")):
            self.learn(reading)
