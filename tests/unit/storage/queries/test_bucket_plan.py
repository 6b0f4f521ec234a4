"""The plan covers the range once, and asks a rollup only where it may."""

from hypothesis import given
from hypothesis import strategies as st

from storage.queries.bucket_plan import (
    DAY_US,
    HOUR_US,
    MINUTE_US,
    NICE_WIDTHS_US,
    ORIGIN_US,
    SECOND_US,
    Piece,
    Progress,
    Source,
    bucket_count,
    choose_width,
    plan,
)

BASE = 20_000 * DAY_US
times = st.integers(BASE, BASE + 6 * HOUR_US)
hours = st.integers(-1, 7).map(lambda hour: BASE + hour * HOUR_US)
minutes = st.integers(-60, 400).map(lambda minute: BASE + minute * MINUTE_US)


@given(
    st.tuples(times, times).filter(lambda pair: pair[0] != pair[1]).map(sorted),
    st.sampled_from(NICE_WIDTHS_US),
    minutes,
    st.sets(hours, max_size=4),
)
def test_the_pieces_cover_the_range_once_and_obey_watermark_marks_and_edges(
    span: list[int], width: int, minutes_to: int, dirty: set[int]
) -> None:
    start, end = span
    hours_to = minutes_to - minutes_to % HOUR_US

    pieces = plan(start, end, width, Progress(minutes_to, hours_to), dirty)

    assert start == pieces[0].start_us
    assert end == pieces[-1].end_us
    assert [piece.end_us for piece in pieces[:-1]] == [piece.start_us for piece in pieces[1:]]
    for piece in pieces:
        assert piece.start_us < piece.end_us
        if piece.source is Source.RAW:
            continue
        unit = MINUTE_US if piece.source is Source.MINUTE else HOUR_US
        assert width % unit == 0
        assert piece.start_us % unit == piece.end_us % unit == 0
        assert piece.end_us <= (minutes_to if piece.source is Source.MINUTE else hours_to)
        assert not any(hour < piece.end_us and piece.start_us < hour + HOUR_US for hour in dirty)


def test_months_come_from_hours_with_minutes_and_readings_at_the_edges() -> None:
    start, end = BASE - 30 * DAY_US + 90 * SECOND_US, BASE + 90 * MINUTE_US + SECOND_US
    progress = Progress(BASE + 80 * MINUTE_US, BASE + HOUR_US)

    assert plan(start, end, 2 * HOUR_US, progress, []) == [
        Piece(Source.RAW, start, BASE - 30 * DAY_US + 2 * MINUTE_US),
        Piece(Source.MINUTE, BASE - 30 * DAY_US + 2 * MINUTE_US, BASE - 30 * DAY_US + HOUR_US),
        Piece(Source.HOUR, BASE - 30 * DAY_US + HOUR_US, BASE + HOUR_US),
        Piece(Source.MINUTE, BASE + HOUR_US, BASE + 80 * MINUTE_US),
        Piece(Source.RAW, BASE + 80 * MINUTE_US, end),
    ]


def test_where_readings_were_dropped_edges_widen_to_the_rollup_and_marks_say_nothing() -> None:
    gone = Progress(BASE + DAY_US, BASE + DAY_US, raw_from=BASE, minutes_from=BASE - DAY_US)
    start, end = BASE - 2 * DAY_US + 90 * SECOND_US, BASE - 90 * SECOND_US

    pieces = plan(start, end, 2 * HOUR_US, gone, [BASE - 5 * HOUR_US])

    assert pieces == [
        Piece(Source.HOUR, BASE - 2 * DAY_US, BASE - HOUR_US),
        Piece(Source.MINUTE, BASE - HOUR_US, BASE - MINUTE_US),
    ]


@given(st.tuples(times, times).filter(lambda pair: pair[0] != pair[1]).map(sorted), st.integers(1, 2_000))
def test_the_chosen_width_keeps_to_max_points(span: list[int], max_points: int) -> None:
    start, end = span
    width = choose_width(start, end, max_points)

    buckets = {(time - ORIGIN_US) // width for time in (start, end - 1)}
    assert bucket_count(start, end, width) == max(buckets) - min(buckets) + 1
    assert bucket_count(start, end, width) <= max_points


def test_widths_for_years_are_whole_months_of_four_weeks() -> None:
    assert choose_width(BASE, BASE + 3650 * DAY_US, 10) % (28 * DAY_US) == 0


def test_buckets_of_a_week_begin_on_a_monday() -> None:
    monday = 20_773 * DAY_US  # 2026-11-16

    assert (monday - ORIGIN_US) % (7 * DAY_US) == 0
