import pytest

from tests.bench.figure import Goal, Row, median_ratio, number, percentile


def test_the_median_is_of_the_ratios_not_of_the_sides() -> None:
    assert 4 == median_ratio([10, 40, 12], [5, 10, 3])


def test_a_side_without_a_figure_gives_no_ratio() -> None:
    assert 0 == median_ratio([1.0], [0.0])


@pytest.mark.parametrize(("at_least", "value", "met"), [(True, 90, True), (True, 89, False), (False, 91, False)])
def test_a_goal_is_met_at_its_bound(at_least: bool, value: float, met: bool) -> None:
    assert met is Goal(90, at_least=at_least).met(value)


def test_a_row_says_whether_its_goal_was_met() -> None:
    goal = Goal(2, at_least=False)
    assert "yes" == Row("work", "1", "2", 2.0, goal).verdict
    assert "**no**" == Row("work", "1", "3", 3.0, goal).verdict
    assert "" == Row("work", "1", "3", 3.0, None).verdict


def test_percentiles_are_by_nearest_rank() -> None:
    assert 99 == percentile(list(range(100)), 0.99)
    assert 50 == percentile(list(range(100)), 0.5)
    assert 0 == percentile([], 0.99)


def test_numbers_are_short() -> None:
    assert ["8.07 M", "53,034", "0.125", "18.9"] == [number(n) for n in (8_070_000, 53_034.4, 0.125, 18.93)]
