"""Names of series, and the bounded cache of their ids."""

import pytest

from storage.series import SeriesCache, SeriesKey, name_problem


@pytest.mark.parametrize(
    "key",
    [("", "m", ""), ("d", "", ""), ("d\0", "m", ""), ("d", "\udc80", ""), ("d" * 1001, "m", ""), ("d", "m", "u" * 201)],
)
def test_a_name_that_the_database_cannot_hold_is_refused_with_its_part(key: SeriesKey) -> None:
    problem = name_problem(key)

    assert problem is not None
    assert problem.detail.startswith("the ")


def test_any_other_name_is_fine() -> None:
    assert name_problem(("größe/1 %#+", "a.b[0]", "")) is None


def test_the_cache_drops_its_oldest_quarter_when_it_is_full() -> None:
    cache = SeriesCache(100)

    cache.remember({(str(number), "m", ""): number for number in range(100)})
    assert len(cache.ids) == 100
    cache.remember({("new", "m", ""): 100})

    assert len(cache.ids) == 75
    assert ("0", "m", "") not in cache.ids
    assert cache.ids["new", "m", ""] == 100
