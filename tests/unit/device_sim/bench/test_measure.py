"""A row divides what the server had used by what was done until the same moment."""

from dataclasses import replace

import pytest

from device_sim.bench.loads import BENCHES, BenchName
from device_sim.bench.measure import Look, make_row
from device_sim.bench.target import Usage
from device_sim.figures.results import Recorder, RunResult

BEFORE = Usage(cpu_s=9.0, rss_bytes=40 << 20)
FIRST = Look(Usage(cpu_s=10.0, rss_bytes=60 << 20), 0.0, 0, 0)


def ran(seconds: float, messages: int, delivered: int) -> RunResult:
    return replace(Recorder("bench", 0, 1).finish(seconds), messages=messages, delivered=delivered)


@pytest.mark.parametrize(
    ("bench", "last", "expected_us"),
    [
        ("ingest", Look(Usage(10.1, 0), 1.0, 1_000, 0), 100.0),
        ("fanout", Look(Usage(10.1, 0), 1.0, 1_000, 10_000), 10.0),
        ("connections", Look(Usage(10.1, 0), 1.0, 1, 0), 100.0),
    ],
)
def test_what_was_done_after_the_last_look_does_not_make_the_server_cheaper(
    bench: BenchName, last: Look, expected_us: float
) -> None:
    row = make_row(BENCHES[bench](2.0, "")[0], "ws://h", ran(2.0, 2_000, 20_000), BEFORE, [FIRST, last])

    assert row.server_cpu_us == pytest.approx(expected_us)


def test_idle_connections_cost_the_memory_that_came_with_them() -> None:
    row = make_row(BENCHES["connections"](2.0, "")[0], "ws://h", ran(2.0, 2, 0), BEFORE, [FIRST, FIRST])

    assert row.server_kib == pytest.approx(20 * 1_024 / 1_000, abs=0.05)


@pytest.mark.parametrize("looks", [[], [FIRST], [FIRST, FIRST]])
def test_a_cost_of_nothing_is_unknown(looks: list[Look]) -> None:
    row = make_row(BENCHES["fanout"](2.0, "")[0], "ws://h", ran(2.0, 0, 0), None, looks)

    assert row.server_cpu_us is None
    assert row.server_kib is None


def test_a_server_that_does_nothing_of_its_part_makes_no_figure() -> None:
    load = BENCHES["fanout"](2.0, "")[0]
    nothing = make_row(load, "ws://h", ran(2.0, 2_000, 0), None, [])
    silent = make_row(load, "ws://h", replace(ran(2.0, 2_000, 2_000), acknowledged=2_000), None, [])

    assert nothing.invalid == (
        "ws://h acknowledged none of 2,000 messages",
        "ws://h delivered none of 2,000 messages that were due",
    )
    assert silent.invalid == ()


def test_a_row_says_how_busy_its_server_was() -> None:
    last = Look(Usage(11.0, 0), 2.0, 1_000, 10_000)

    assert make_row(BENCHES["fanout"](2.0, "")[0], "h", ran(2.0, 1, 1), None, [FIRST, last]).server_busy == 0.5
