"""From readings to columns: the usual batch, and each unusual reading beside good ones."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.columns import Columns, look_up, sorted_once, to_columns, unknown_kinds
from storage.reading import Reading

NOW = 1_763_654_400_000_000
IDS = {("a", "x", ""): 1, ("a", "y", ""): 2, ("b", "x", ""): 3}


def columns_of(*readings: Reading) -> Columns:
    return to_columns(readings, look_up(readings, IDS), NOW)


def numbers(columns: Columns) -> list[tuple[int, int, float]]:
    return list(zip(columns.series.tolist(), columns.time_us.tolist(), columns.value.tolist(), strict=True))


def test_a_batch_is_sorted_by_series_and_time() -> None:
    columns = columns_of(Reading("b", "x", 5, 1.0), Reading("a", "y", 9, 2), Reading("a", "y", 3, True))

    assert numbers(columns) == [(2, 3, 1.0), (2, 9, 2.0), (3, 5, 1.0)]


def test_of_repeats_in_a_batch_the_first_stays() -> None:
    columns = columns_of(Reading("a", "x", 1, 10.0), Reading("a", "x", 2, 0.0), Reading("a", "x", 1, 20.0))

    assert numbers(columns) == [(1, 1, 10.0), (1, 2, 0.0)]
    assert columns.conflicts == 1


def test_texts_go_beside_the_numbers_under_the_same_series() -> None:
    columns = columns_of(Reading("a", "x", 1, "21.5"), Reading("a", "x", 1, 21.5), Reading("a", "x", 1, "again"))

    assert columns.texts == [(1, 1, "21.5")]
    assert numbers(columns) == [(1, 1, 21.5)]
    assert columns.conflicts == 1


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (Reading("a", "x", 10**40, 1.0), "clock"),
        (Reading("a", "x", -1, 1.0), "clock"),
        (Reading("a", "x", 1, 10**400), "value"),
        (Reading("a", "x", 1, "nul\0"), "value"),
        (Reading("a", "x", 1, "\ud800"), "value"),
        (Reading("a", "x", 1, None), "value"),  # type: ignore[arg-type]
        (Reading("nul\0", "x", 1, 1.0), "name"),
        (Reading("a" * 1001, "x", 1, 1.0), "name"),
        (Reading("", "x", 1, 1.0), "name"),
    ],
)
def test_a_bad_reading_is_refused_alone(bad: Reading, reason: str) -> None:
    columns = columns_of(Reading("a", "y", 1, 1.0), bad, Reading("b", "x", 1, 2.0))

    assert [item.reason for item in columns.refused] == [reason]
    assert numbers(columns) == [(2, 1, 1.0), (3, 1, 2.0)]


def test_extreme_numbers_pass() -> None:
    columns = columns_of(Reading("a", "x", 1, 2**63), Reading("a", "x", 2, math.inf), Reading("a", "x", 3, math.nan))

    assert columns.refused == []
    assert columns.value[0] == float(2**63)
    assert math.isinf(columns.value[1])
    assert math.isnan(columns.value[2])


def test_unknown_series_are_named_with_the_kind_of_their_first_value() -> None:
    readings = [
        Reading("c", "x", 1, True),
        Reading("c", "x", 2, 1.0),
        Reading("c", "y", 1, "on"),
        Reading("c", "z", 1, 5, "Cel"),
        Reading("a", "x", 1, 1.0),
        Reading("c\0", "x", 1, 1.0),
    ]

    assert unknown_kinds(readings, IDS) == {
        ("c", "x", ""): "bool",
        ("c", "y", ""): "text",
        ("c", "z", "Cel"): "number",
    }


@given(
    st.lists(
        st.builds(
            Reading,
            st.sampled_from(["a", "b"]),
            st.just("x"),
            st.integers(0, 5),
            st.one_of(st.floats(), st.integers(-(2**70), 2**70), st.booleans(), st.text(max_size=3)),
        ),
        min_size=1,
    )
)
def test_every_reading_is_kept_dropped_as_repeat_or_refused(readings: list[Reading]) -> None:
    columns = columns_of(*readings)

    kept = len(columns.series) + len(columns.texts)

    assert kept + columns.repeats + columns.conflicts + len(columns.refused) == len(readings)
    pairs = np.stack((columns.series, columns.time_us))
    assert pairs.shape[1] == np.unique(pairs, axis=1).shape[1]


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 6)), max_size=30),
    st.sampled_from([1, 10**6, 10**15, 2 * 10**18]),
)
def test_sorted_by_series_and_time_each_pair_once_however_far_apart_the_times_are(
    pairs: list[tuple[int, int]], step_us: int
) -> None:
    times = [min(number * step_us, 2**62) for _, number in pairs]
    first: dict[tuple[int, int], int] = {}
    for at, ((series, _), time_us) in enumerate(zip(pairs, times, strict=True)):
        first.setdefault((series, time_us), at)

    columns = sorted_once(
        np.array([series for series, _ in pairs], np.int32),
        np.array(times, np.int64),
        np.arange(len(pairs), dtype=np.float64),
    )

    stored = list(zip(columns.series.tolist(), columns.time_us.tolist(), columns.value.tolist(), strict=True))
    assert stored == [(*pair, float(at)) for pair, at in sorted(first.items())]
    assert (columns.repeats, columns.conflicts) == (0, len(pairs) - len(first))


@pytest.mark.parametrize(("last_wins", "value", "text"), [(False, 1.0, "a"), (True, 2.0, "b")])
def test_another_value_at_the_same_time_is_no_repeat_and_which_one_stays_is_chosen(
    last_wins: bool, value: float, text: str
) -> None:
    rows = [Reading("a", "x", 5, 1.0), Reading("a", "x", 5, 1.0), Reading("a", "x", 5, 2.0), Reading("a", "x", 6, 3.0)]
    mixed = [*rows, *(Reading("a", "x", 5, text) for text in ("a", "a", "b"))]

    for readings, texts in ((rows, []), (mixed, [(IDS["a", "x", ""], 5, text)])):
        columns = to_columns(readings, look_up(readings, IDS), NOW, last_wins=last_wins)

        assert [value, 3.0] == columns.value.tolist()
        assert texts == columns.texts
        assert len(readings) - len(texts) - 2 == columns.repeats + columns.conflicts
        assert columns.conflicts > 0


def test_not_a_number_is_like_itself() -> None:
    rows = [Reading("a", "x", 5, math.nan)] * 2 + [Reading("a", "x", 5, 1.0)]

    columns = to_columns(rows, look_up(rows, IDS), NOW)

    assert (1, 1) == (columns.repeats, columns.conflicts)
