"""The last reading of each series, for `replay:last`."""

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

import orjson
import pytest

from hub.telemetry import last_readings as last_readings_module
from hub.telemetry.last_readings import LastReadings
from storage.reading import Reading


class Named(NamedTuple):
    name: str
    device: str = ""
    metric: str = ""


class Stored:
    """A catalogue with the series of the readings that it was given."""

    def __init__(self, *readings: Reading) -> None:
        self._readings = readings

    async def devices(self) -> AsyncIterator[Named]:
        for device in dict.fromkeys(reading.device for reading in self._readings):
            yield Named(device)

    async def series(self, device: str) -> AsyncIterator[Named]:
        for reading in self._readings:
            if reading.device == device:
                yield Named("", device, reading.metric)

    async def latest(self, names: Sequence[tuple[str, str]], *, each_unit: bool = False) -> AsyncIterator[Reading]:
        assert each_unit
        for reading in self._readings:
            if (reading.device, reading.metric) in names:
                yield reading


def values(last: LastReadings) -> dict[str, object]:
    return {address.text: orjson.loads(body)["v"] for address, body, *_ in last.messages(("#",))}


async def test_it_is_filled_from_the_database() -> None:
    last = LastReadings()
    await last.fill(Stored(Reading("a", "t", 1, 1.5), Reading("a", "h", 1, 2.5), Reading("b/c", "t", 1, "on")))

    assert values(last) == {
        "/topic/readings/a/t": 1.5,
        "/topic/readings/a/h": 2.5,
        "/topic/readings/b%2Fc/t": "on",
    }


async def test_what_came_live_is_not_overwritten_by_an_older_stored_one() -> None:
    last = LastReadings()
    last.learn(Reading("a", "t", 10, 10.0))
    await last.fill(Stored(Reading("a", "t", 9, 9.0)))

    assert values(last) == {"/topic/readings/a/t": 10.0}


async def test_a_reading_is_shown_with_its_own_unit_and_none_when_it_came_without() -> None:
    last = LastReadings()
    await last.fill(Stored(Reading("a", "t", 2, 1.5), Reading("a", "t", 1, 1.5, "Cel"), Reading("a", "t", 0, 1.5, "K")))
    series = last.series("a", "t")

    assert "Cel" == series.unit
    ((_, body, *_),) = last.messages(("#",))
    assert "unit" not in orjson.loads(body)
    assert "degF" == orjson.loads(series.body(2, 2.5, "degF", late=False))["unit"]


def test_only_what_matches_is_encoded() -> None:
    last = LastReadings()
    last.learn(Reading("a", "t", 1, 1.0))
    last.learn(Reading("b", "t", 1, 2.0))

    assert [address.text for address, *_ in last.messages(("readings", "b", "+"))] == ["/topic/readings/b/t"]


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_readings_module, "MAX_SERIES", 2)
    last = LastReadings()
    for number in range(5):
        last.learn(Reading("a", str(number), 1, 1.0))

    assert len(last) == 2
