"""Latencies: every value counts, in bulk as one by one, and histograms add up and travel."""

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from device_sim.figures.histogram import DIGITS, GATHER, HIGHEST_US, LOWEST_US, Histogram

PERCENTS = (0.1, 50.0, 90.0, 99.0, 99.9, 100.0)
seconds = st.lists(st.floats(1e-6, 3_000), min_size=1, max_size=200)


def of(values: list[float]) -> Histogram:
    histogram = Histogram()
    histogram.record(values)
    return histogram


def figures(histogram: Histogram) -> list[float]:
    return [histogram.count, histogram.max_s, *(histogram.percentile_s(percent) for percent in PERCENTS)]


@settings(deadline=None)  # a histogram is 190 KB: the first takes its time on a busy machine
@given(seconds)
def test_recording_in_bulk_is_recording_one_by_one(values: list[float]) -> None:
    single = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
    for value in values:
        single.record_value(max(round(value * 1e6), 1))

    histogram = of(values)

    assert histogram.count == len(values)
    assert histogram.max_s == single.get_max_value() / 1e6
    for percent in PERCENTS:
        assert histogram.percentile_s(percent) == single.get_value_at_percentile(percent) / 1e6


@settings(deadline=None)
@given(seconds)
def test_a_percentile_is_right_to_three_digits(values: list[float]) -> None:
    assert of(values).percentile_s(100) == pytest.approx(max(values), rel=2e-3, abs=1e-6)


@settings(deadline=None)
@given(seconds, seconds)
def test_two_processes_add_up_to_one(first: list[float], second: list[float]) -> None:
    both = of(first)
    both.add(of(second))

    assert figures(both) == figures(of([*first, *second]))


@settings(deadline=None)
@given(seconds)
def test_a_histogram_travels_as_text(values: list[float]) -> None:
    assert figures(Histogram.decode(of(values).encode())) == figures(of(values))


def test_what_is_gathered_counts_before_it_is_settled_and_beyond() -> None:
    histogram = Histogram()
    for number in range(2 * GATHER + 3):
        histogram.record([number / 1e6])

    assert histogram.count == 2 * GATHER + 3


def test_values_out_of_range_count_as_the_nearest_that_is_in_it() -> None:
    histogram = of([-1.0, 0.0, 1e9])

    assert histogram.percentile_s(50) == 1e-6
    assert histogram.max_s == pytest.approx(3_600, rel=1e-3)


def test_nothing_recorded_is_zero_everywhere() -> None:
    assert figures(Histogram()) == [0] * (2 + len(PERCENTS))
    assert Histogram().curve() == []
    assert Histogram().mean_s == 0


def test_the_curve_rises_to_the_maximum() -> None:
    curve = of([number / 1e3 for number in range(1, 1_001)]).curve()

    assert curve == sorted(curve)
    percent, longest_s = curve[-1]
    assert percent == 100
    assert longest_s == pytest.approx(1.0, rel=1e-3)
