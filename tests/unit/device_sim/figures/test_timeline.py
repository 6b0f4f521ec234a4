"""The timeline: counts by second, bounded for any length of run, mergeable over processes."""

import pytest

from device_sim.figures.timeline import SLOTS, Timeline


def counts(timeline: Timeline, name: str) -> list[int]:
    return [slot.counts.get(name, 0) for slot in timeline.slots]


def test_what_happens_is_counted_in_its_second() -> None:
    timeline = Timeline()
    for at_s in (-0.2, 0.0, 0.9, 2.1):
        timeline.count(at_s, "sent", 5)

    assert counts(timeline, "sent") == [15, 0, 5]


def test_a_long_run_has_longer_slots_and_loses_no_count() -> None:
    timeline = Timeline()
    for second in range(3 * SLOTS):
        timeline.count(second, "sent", 1)
        timeline.latencies(second, "acknowledged", [0.5])
        timeline.level(second, "connections", second)

    assert len(timeline.slots) <= SLOTS
    assert timeline.slot_s == 4.0
    assert sum(counts(timeline, "sent")) == 3 * SLOTS
    assert sum(slot.latencies["acknowledged"].count for slot in timeline.slots) == 3 * SLOTS
    assert [slot.gauges["connections"] for slot in timeline.slots[:2]] == [3, 7]


def test_processes_add_up_though_one_ran_longer() -> None:
    long, short = Timeline(), Timeline()
    for second in range(SLOTS + 1):
        long.count(second, "sent", 1)
    for second in range(10):
        short.count(second, "sent", 1)
        short.level(second, "connections", 7)
        long.level(second, "connections", 5)

    short.add(long)

    assert counts(short, "sent")[:6] == [4, 4, 4, 4, 4, 2]
    assert short.slots[0].gauges["connections"] == 12


def test_a_timeline_travels_as_json() -> None:
    timeline = Timeline()
    timeline.count(0, "sent", 3)
    timeline.level(1, "connections", 2)
    timeline.latencies(1, "acknowledged", [0.25, 0.5])

    again = Timeline.from_json(timeline.as_json())

    assert again.as_json() == timeline.as_json()
    assert again.slots[1].latencies["acknowledged"].max_s == pytest.approx(0.5, rel=0.07)
