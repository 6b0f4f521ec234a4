"""What the pipeline does with a decoder's remarks beside readings: states, commands, historical and transient readings."""

from collections.abc import Callable

import orjson
import pytest

from hub.telemetry import decoders
from hub.telemetry.decoders import Row
from hub.telemetry.notes import Notes
from hub.telemetry.origin import Origin
from hub.telemetry.routes import RouteSettings
from storage.device_state import DeviceState
from storage.reading import Reading
from tests.support.telemetry import NOW_US, Bench, arrival

Remark = Callable[[Notes], None]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Bench]:
    """Return what makes a bench whose only decoder returns `readings` and makes a remark."""

    def make(remark: Remark, *filters: str, readings: list[Reading] | None = None) -> Bench:
        def decode(_body: bytes, _origin: Origin, _received_us: int, notes: Notes) -> list[Reading]:
            remark(notes)
            return list(readings or [])

        monkeypatch.setitem(decoders.DECODERS, "made-up", Row("made-up", lambda: decode))
        return Bench(*filters, routes=[RouteSettings(filter="devices/+/telemetry", decoder="made-up")])

    return make


async def test_a_state_is_stored_and_published_once(bench: Callable[..., Bench]) -> None:
    made = bench(lambda notes: notes.state("d/1", False, "lost", NOW_US), "/topic/$SYS/devices/+")

    first, second = made.accept(b"x"), made.accept(b"x")

    assert made.store.states == [DeviceState("d/1", False, "lost", NOW_US)]
    assert [destination for destination, _ in made.broker.published] == ["/topic/$SYS/devices/d%2F1"]
    assert first is made.store.futures[0]
    assert second is not None
    assert second.done()


async def test_a_state_of_a_device_without_a_legal_name_is_quarantined(bench: Callable[..., Bench]) -> None:
    made = bench(lambda notes: notes.state("a\nb", True, "online", NOW_US))

    made.accept(b"x")

    assert made.store.states == []
    assert made.reasons == ["bad_device"]


async def test_a_command_is_published_on_its_topic(bench: Callable[..., Bench]) -> None:
    made = bench(lambda notes: notes.command("spBv1.0/g/NCMD/n", b"\x00\xff"))

    made.accept(b"x")

    assert made.commands == [("/topic/spBv1.0/g/NCMD/n", b"\x00\xff")]
    assert made.pipeline.counters.commands == 1


async def test_a_historical_reading_is_stored_and_not_shown(bench: Callable[..., Bench]) -> None:
    old = Reading("devices", "m", NOW_US - 10**9, 1.0)
    made = bench(
        lambda notes: notes.store_only(old), "/topic/readings/#", readings=[Reading("devices", "m", NOW_US, 2.0)]
    )

    made.accept(b"x")

    assert old in made.store.readings
    assert [orjson.loads(body)["v"] for _, body in made.broker.published] == [2.0]


async def test_a_historical_reading_that_cannot_be_stored_is_quarantined(bench: Callable[..., Bench]) -> None:
    made = bench(lambda notes: notes.store_only(Reading("d", "m", 5, 1.0)))

    made.accept(b"x")

    assert (made.store.readings, made.reasons) == ([], ["clock"])


async def test_a_transient_reading_is_shown_and_not_stored(bench: Callable[..., Bench]) -> None:
    made = bench(lambda notes: notes.show_only(Reading("d", "m", NOW_US, 1.0)), "/topic/readings/#")

    future = made.accept(b"x")

    assert made.store.readings == []
    assert [destination for destination, _ in made.broker.published] == ["/topic/readings/d/m"]
    assert future is not None
    assert future.done()


async def test_a_transient_reading_keeps_its_place_among_those_that_came_with_it(bench: Callable[..., Bench]) -> None:
    """One of the same series, from a message before it, is shown before it."""
    numbers = iter((1.0, 2.0, 3.0))
    made = bench(
        lambda notes: notes.show_only(Reading("devices", "m", NOW_US, next(numbers))),
        "/topic/readings/#",
        readings=[Reading("devices", "m", NOW_US, 0.0)],
    )

    made.pipeline.accept_all([arrival("devices/d/telemetry", b"x")] * 3, NOW_US, bridged=True)

    assert [orjson.loads(body)["v"] for _, body in made.broker.published] == [0.0, 1.0, 0.0, 2.0, 0.0, 3.0]
    assert made.pipeline.counters.published == 6


async def test_a_defect_of_a_decoder_costs_its_payload_and_not_the_connection(bench: Callable[..., Bench]) -> None:
    def fail(_notes: Notes) -> None:
        raise ZeroDivisionError("made up")

    made = bench(fail)

    future = made.accept(b"x")

    assert future is made.store.futures[0]
    assert [(item.reason, item.payload, item.detail) for item in made.store.quarantined] == [
        ("decoder_defect", b"x", "ZeroDivisionError: made up")
    ]
