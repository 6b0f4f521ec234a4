"""The last reading of each series: for subscribers of `/topic/readings/…` that ask `replay:last`, and to detect late ones.

Readings are encoded only when somebody watches, so the broker has no last message of most series; this has the reading,
newest by device time, and encodes it when it is asked for. After a restart it is filled from the database, the units of
series included.

Bounded in series: when full, everything is forgotten and learned again, as the pipeline's memory of topics.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from operator import attrgetter
from typing import Final, Protocol

from hub.broker.publication import JSON_HEADERS, Address, Arrival
from hub.telemetry.readings_topic import Series, topic_of
from hub.topics.name_tree import NameTree
from storage.changes import Change
from storage.reading import Reading

MAX_SERIES: Final = 200_000
FILL_SERIES: Final = 50_000  # looked up at start: enough for a first page, little work for the database
_CHUNK: Final = 1_000


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
        self._series: NameTree[Series] = NameTree()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def full(self) -> bool:
        return self._count >= MAX_SERIES

    def series(self, device: str, metric: str) -> Series:
        """Return a series, known from now on. The names must be checked."""
        topic = topic_of(device, metric)
        series = self._series.get(topic)
        if series is None:
            series = Series(device, metric)
            self._series.add(topic, series)
            self._count += 1
        return series

    def clear(self) -> None:
        """Forget everything."""
        self._series.clear()
        self._count = 0

    def learn(self, reading: Reading) -> None:
        """Take a reading from the database, unless a newer one has come."""
        if self.full:
            return
        series = self.series(reading.device, reading.metric)
        series.unit = reading.unit or series.unit
        if series.last is None or series.last.time_us < reading.time_us:
            series.last = reading

    async def fill(self, catalogue: Catalogue) -> None:
        """Load from the database; raises what the catalogue raises."""
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

    async def follow(self, changes: Sequence[Change], catalogue: Catalogue) -> None:
        """Forget what was deleted or renamed, and learn what is there now; raises what the catalogue raises."""
        names: dict[tuple[str, str], None] = {}
        for change in changes:
            first, device, _ = topic_of(change.device, "").split("/")
            metric = "#" if change.metric is None else topic_of("", change.metric).rpartition("/")[2]
            # The objects stay: topics in the pipeline hold them for the readings to come.
            for series in self._series.matching((first, device, metric)):
                last, series.last, series.unit = series.last, None, ""
                if last is not None:
                    names[last.device, last.metric] = None
                    if change.new_device is not None:
                        names[change.new_device, change.new_metric or last.metric] = None
        if names:
            await self._learn_all(catalogue, list(names))

    def messages(self, levels: tuple[str, ...]) -> Iterator[Arrival]:
        """Return the last reading of each series that a filter's levels match, one by one."""
        for series in self._series.matching(levels):
            last = series.last
            if last is not None:
                number = last.value if last.value.__class__ is float else None
                yield Arrival(Address(series.destination), series.body_of(last), JSON_HEADERS, number)

    async def _learn_all(self, catalogue: Catalogue, names: list[tuple[str, str]]) -> None:
        found = [reading async for reading in catalogue.latest(names, each_unit=True)]
        for reading in sorted(found, key=attrgetter("time_us")):
            self.learn(reading)
