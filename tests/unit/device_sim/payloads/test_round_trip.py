"""Each encoder against the hub's decoders, which were written by others: what a Message says must be stored is stored."""

from collections.abc import Sequence
from typing import get_args

import pytest

from device_sim.faults.stream import NEVER_VALID
from device_sim.message import LinkAction, LinkActionKind, Message, Value, Will
from device_sim.payloads.registry import FORMATS, FormatName
from device_sim.scenario.builtin import find_scenario
from device_sim.scenario.model import Scenario
from device_sim.schedule.schedule import schedule
from tests.support.telemetry import NOW_US, Bench

SECONDS = 12.0
Stored = dict[tuple[str, str, int | None], Value]


def of_format(name: str, **changes: object) -> Scenario:
    """The devices of one format of the scenario that has them all."""
    mix = find_scenario("fleet-mix")
    classes = [device_class for device_class in mix.classes if device_class.format == name]
    dumped = [{**device_class.model_dump(exclude_unset=True), **changes} for device_class in classes]
    assert dumped
    return Scenario.model_validate({"name": name, "duration": SECONDS, "classes": dumped})


def through_the_hub(events: Sequence[Message | LinkAction]) -> tuple[Stored, Bench]:
    """What the pipeline wants to store, with the broker's wills when a connection is cut.

    Readings without a time of their own get the hub's, another one for each message; here they have that of their
    measurement.
    """
    bench = Bench()
    stored: Stored = {}
    wills: dict[int, Will | None] = {}
    for event in events:
        now_us = NOW_US + round(event.due_s * 1e6) + 700
        if isinstance(event, Message):
            known = len(bench.store.readings)
            bench.accept(event.payload, event.topic, now_us=now_us)
            for device, metric, time_us, value, _ in bench.store.readings[known:]:
                stored[(device, metric, time_us if event.timed else event.time_us)] = value
        elif event.kind is LinkActionKind.CONNECT:
            wills[event.source] = event.will
        elif event.kind is LinkActionKind.CUT and (will := wills[event.source]):
            known = len(bench.store.readings)
            bench.accept(will.payload, will.topic, now_us=now_us)
            assert len(bench.store.readings) == known, "a will is no reading"
    return stored, bench


def expected(events: Sequence[Message | LinkAction]) -> Stored:
    return {
        (message.device, metric, message.time_us): value
        for message in events
        if isinstance(message, Message)
        for metric, value in zip(message.metrics, message.values, strict=True)
    }


def events_of(scenario: Scenario, seed: int = 9) -> list[Message | LinkAction]:
    return list(schedule(scenario, seed, NOW_US))


def same(stored: Stored, wanted: Stored) -> bool:
    assert stored.keys() == wanted.keys()
    for key, value in wanted.items():
        assert type(stored[key]) is type(value), key
        assert stored[key] == value, key
    return True


def test_a_file_may_name_every_format_of_the_registry_and_no_other() -> None:
    assert get_args(FormatName) == tuple(FORMATS) == tuple(form.name for form in FORMATS.values())


def test_every_format_is_in_the_mix() -> None:
    assert {device_class.format for device_class in find_scenario("fleet-mix").classes} == set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
async def test_the_hub_stores_what_a_message_says(name: str) -> None:
    events = events_of(of_format(name))

    stored, bench = through_the_hub(events)

    assert bench.reasons == []
    assert same(stored, expected(events))
    assert len(stored) > SECONDS


@pytest.mark.parametrize("name", FORMATS)
async def test_no_value_is_no_reading(name: str) -> None:
    events = events_of(of_format(name, faults=[{"kind": "nan", "probability": 0.4}]))

    stored, bench = through_the_hub(events)

    assert bench.reasons == []
    assert same(stored, expected(events))
    assert len(stored) < len(expected(events_of(of_format(name))))


@pytest.mark.parametrize("name", FORMATS)
async def test_damaged_messages_are_quarantined_and_cost_nothing_else(name: str) -> None:
    faults = [{"kind": "malformed", "probability": 0.2}, {"kind": "oversize", "octets": 3_000, "probability": 0.2}]
    events = events_of(of_format(name, faults=faults))
    damaged = [event for event in events if isinstance(event, Message) and event.payload.startswith(NEVER_VALID)]

    stored, bench = through_the_hub(events)

    assert same(stored, expected(events))
    assert len(bench.reasons) == len(damaged) > 3


@pytest.mark.parametrize("name", FORMATS)
async def test_messages_that_come_twice_or_overtake_each_other_are_stored_once(name: str) -> None:
    faults = [{"kind": "duplicate", "probability": 0.3}, {"kind": "out-of-order", "held_s": 2.5, "probability": 0.3}]
    events = events_of(of_format(name, faults=faults))

    stored, bench = through_the_hub(events)

    assert bench.reasons == []
    assert same(stored, expected(events))


@pytest.mark.parametrize("name", FORMATS)
async def test_connections_that_flap_lose_nothing_that_was_sent(name: str) -> None:
    faults = [{"kind": "flapping", "at": 1, "for": 9, "up_s": 1, "down_s": 1}]
    events = events_of(of_format(name, faults=faults))

    stored, bench = through_the_hub(events)

    assert bench.reasons == []
    assert same(stored, expected(events))
    assert sum(isinstance(event, LinkAction) for event in events) > 8


@pytest.mark.parametrize("seconds", [-3_600, 250, 3_600])
@pytest.mark.parametrize("name", [name for name in FORMATS if name not in {"scalar", "esphome", "homie"}])
async def test_wrong_clocks_are_stored_as_they_are_unless_they_are_of_the_future(name: str, seconds: float) -> None:
    faults = [{"kind": "clock-skew", "at": 3, "for": 5, "seconds": seconds}]
    events = events_of(of_format(name, faults=faults, rate=0.5))

    stored, bench = through_the_hub(events)

    assert same(stored, expected(events))
    assert ("clock" in bench.reasons) == (seconds > 300)
