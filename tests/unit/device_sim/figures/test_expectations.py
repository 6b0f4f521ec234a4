"""Expectations: each figure by name, the bound held against it, the exit status that follows."""

import pytest

from device_sim.errors import BadArgumentError
from device_sim.figures.expectations import NAMES, ExitStatus, Outcome, check, exit_status, measure, refuse_unmeasurable
from device_sim.figures.results import Recorder
from device_sim.ledger.writer import Acknowledgement
from device_sim.scenario.declared import parse_bound
from device_sim.verify import TimedCount, judge
from tests.support.run_result import START_US, made_up_result

RESULT = made_up_result(seconds=60)
CLEAN = judge([TimedCount(Acknowledgement.PUBACK, 1, 0, collided=False, readings=300)])
LOSSY = judge([TimedCount(Acknowledgement.PUBACK, 0, 0, collided=False, readings=3)], phantom=2)


def outcomes(bounds: dict[str, str | float], *, lossy: bool = False) -> tuple[Outcome, ...]:
    return check({name: parse_bound(text) for name, text in bounds.items()}, RESULT, LOSSY if lossy else CLEAN)


def test_every_name_has_a_figure_in_a_full_run() -> None:
    assert [name for name, figure in measure(RESULT, CLEAN).items() if figure is None] == []
    assert tuple(measure(RESULT, CLEAN)) == NAMES


def test_figures_are_what_was_measured() -> None:
    figures = measure(RESULT, LOSSY)

    assert (figures["loss"], figures["phantom"], figures["duplicates"]) == (3, 2, 0)
    assert (figures["messages"], figures["rate"], figures["dropped"]) == (3_000, 50, 12)
    assert figures["unacknowledged"] == 4 * 50
    assert figures["min_rate"] == 0
    assert figures["p50_acknowledged_ms"] == RESULT.latencies["acknowledged"].percentile_s(50) * 1e3


def test_a_bound_that_holds_is_met_and_one_that_does_not_is_not() -> None:
    met, unmet = outcomes({"messages": 3_000, "rate": "< 50"})

    assert met.met
    assert not unmet.met
    assert str(unmet) == "rate: expected < 50, was 50"


def test_what_was_not_measured_meets_nothing() -> None:
    empty = Recorder("empty", 0, START_US).finish(1.0)
    (outcome,) = check({"p99_delivered_ms": parse_bound("< 250")}, empty, None)

    assert not outcome.met
    assert str(outcome) == "p99_delivered_ms: expected < 250, was not measured"


def test_the_exit_status_says_met_or_not() -> None:
    assert exit_status((), RESULT) is ExitStatus.MET
    assert exit_status(outcomes({"loss": 0}), RESULT) is ExitStatus.MET
    assert exit_status(outcomes({"loss": 0, "rate": "> 50"}), RESULT) is ExitStatus.NOT_MET


def test_an_invalid_run_proves_nothing_but_what_the_audit_found() -> None:
    invalid = made_up_result(seconds=5, invalid="the event loop was 2 s late")

    assert exit_status((), invalid) is ExitStatus.INVALID
    assert exit_status(outcomes({"rate": "> 50"}), invalid) is ExitStatus.INVALID
    assert exit_status(outcomes({"loss": 0, "rate": "> 50"}, lossy=True), invalid) is ExitStatus.NOT_MET
    assert exit_status(outcomes({"loss": 0}), invalid) is ExitStatus.MET


@pytest.mark.parametrize(
    ("name", "database", "dashboards"),
    [
        ("lost", True, True),
        ("p95_acknowledged_ms", True, True),
        ("loss", False, True),
        ("p99_stored_ms", False, True),
        ("p99_delivered_ms", True, False),
        ("delivered", True, False),
    ],
)
def test_what_a_run_cannot_measure_is_refused_before_it(name: str, database: bool, dashboards: bool) -> None:
    with pytest.raises(BadArgumentError, match=f"expectations.{name}: "):
        refuse_unmeasurable({name: parse_bound(0)}, database=database, dashboards=dashboards)


def test_what_a_run_can_measure_is_taken() -> None:
    refuse_unmeasurable({name: parse_bound(0) for name in NAMES}, database=True, dashboards=True)
