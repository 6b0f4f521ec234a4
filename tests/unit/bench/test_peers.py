from typing import Any

from tests.bench import peers
from tests.bench.peers_section import paced_row
from tests.bench.rounds import Rounds
from tests.bench.stompload import Load


def load(delivered: float, cpu_us: float, busy: float) -> Load:
    return Load(200.0, delivered, 0.0, 1.0, 2.0, busy, cpu_us, 10.0, 50.0)


def test_the_figure_is_the_ratio_of_the_cpu_times_and_the_rates_stand_beside_it() -> None:
    taken = Rounds([load(20_000, 50.0, 1.0)], [load(2_000_000, 0.25, 0.5)])
    row = peers.row(peers.WORKS[0], taken)

    assert (200.0, "yes") == (row.value, row.verdict)
    assert "20,000/s, 50 µs, core busy 100%" == row.baseline
    assert "2.00 M/s, 0.25 µs, core busy 50%" == row.ours
    assert "by rate 100 times, where the load was the limit of the hub" == row.notes


def paced(cpu_us: float | None, late_ms: float | None, delivered: int, *invalid: str) -> dict[str, Any]:
    return {
        "load": "100 subscribers",
        "server_cpu_us": cpu_us,
        "delivered_p99_ms": late_ms,
        "delivered": delivered,
        "due": 1_000,
        "invalid": list(invalid),
    }


def test_a_row_without_figures_says_why_instead() -> None:
    refused = paced(None, None, 0, "ws://h delivered none of 1,000 messages that were due")
    row = paced_row(paced(10.0, 5.0, 1_000), refused)

    assert "CPU unknown, 0.0% delivered" == row.baseline
    assert 0.0 == row.value
    assert "delivered none" in row.notes


def test_a_paced_row_compares_the_cpu_times() -> None:
    row = paced_row(paced(10.0, 5.0, 1_000), paced(80.0, 12.0, 990))

    assert 8.0 == row.value
    assert ("80.00 µs, p99 12.0 ms, 99.0% delivered", "") == (row.baseline, row.notes)
