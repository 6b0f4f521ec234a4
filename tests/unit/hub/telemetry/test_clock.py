"""Device clocks."""

import contextlib
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.telemetry import clock
from hub.telemetry.notes import PayloadError
from hub.telemetry.routes import RouteSettings
from storage.reading import Reading
from tests.support.telemetry import NOW_US, Bench, arrival

S = 1_763_654_400


@pytest.mark.parametrize(
    ("number", "time_us"),
    [
        (S, S * 10**6),
        (S * 10**3 + 123, S * 10**6 + 123_000),
        (S * 10**6 + 123_456, S * 10**6 + 123_456),
        (S * 10**9 + 123_456_789, S * 10**6 + 123_456),
        (1715945460.3, 1_715_945_460_300_000),
        (1715945460300.25, 1_715_945_460_300_250),
        (10**8, 10**14),
    ],
)
def test_a_number_is_read_by_its_magnitude(number: float, time_us: int) -> None:
    assert clock.from_number(number) == time_us


@pytest.mark.parametrize("number", [0, -1, 1.61, 99_999_999, -(10**18)])
def test_a_small_number_is_no_wall_clock(number: float) -> None:
    assert clock.from_number(number) is None


@pytest.mark.parametrize(
    ("text", "time_us"),
    [
        ("2025-11-20T16:00:00Z", S * 10**6),
        ("2025-11-20t16:00:00z", S * 10**6),
        ("2025-11-20T17:00:00+01:00", S * 10**6),
        ("2025-11-20 16:00:00", S * 10**6),
        ("20251120T160000Z", S * 10**6),
        ("2025.11.20 16:00:00", S * 10**6),
        ("2025-11-20T16:00:00.123456789Z", S * 10**6 + 123_456),
        ("1763654400", S * 10**6),
        (" 1763654400123 ", S * 10**6 + 123_000),
        ("1969-12-31T23:59:59.5Z", -500_000),
    ],
)
def test_a_text_with_date_and_time_is_read_and_truncated(text: str, time_us: int) -> None:
    assert clock.from_text(text) == time_us


@pytest.mark.parametrize("text", ["", "  ", "61"])
def test_a_text_that_says_nothing_gives_no_time(text: str) -> None:
    assert clock.from_text(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "2025-11-20",
        "16:00:00",
        "2025-13-20T16:00:00Z",
        "\uff11\uff17\uff16\uff13\uff16\uff15\uff14\uff14\uff10\uff10",
        "0001-01-01T00:00:00+23:00:",
        "2025-11-20T16:00:00.0" + "0" * 1_000_000,
    ],
)
def test_a_text_that_is_no_date_and_time_is_refused(text: str) -> None:
    with pytest.raises(PayloadError, match="bad_time"):
        clock.from_text(text)


@given(st.text())
def test_only_payload_errors_escape(text: str) -> None:
    with contextlib.suppress(PayloadError):
        clock.from_text(text)


@given(st.datetimes().map(lambda moment: moment.isoformat() + "Z"))
def test_any_iso_time_survives_a_round_trip(text: str) -> None:
    time_us = clock.from_text(text)

    assert time_us is not None
    assert clock.from_text(clock.iso_utc(time_us)) == time_us


def test_times_are_written_with_the_digits_they_have() -> None:
    assert clock.iso_utc(S * 10**6) == "2025-11-20T16:00:00.000Z"
    assert clock.iso_utc(S * 10**6 + 123_000) == "2025-11-20T16:00:00.123Z"
    assert clock.iso_utc(S * 10**6 + 123_456) == "2025-11-20T16:00:00.123456Z"


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2025-11-20T17:00:00", "2025-11-20T16:00:00Z"),
        ("2025-07-20T17:00:00", "2025-07-20T15:00:00Z"),
        ("2025-11-20T17:00:00+00:00", "2025-11-20T17:00:00Z"),
        ("2024-10-27T02:30:00", "2024-10-27T00:30:00Z"),
    ],
)
def test_a_text_without_a_zone_is_in_the_given_one_and_an_hour_that_comes_twice_is_the_first(
    text: str, utc: str
) -> None:
    assert clock.from_text(text, ZoneInfo("Europe/Berlin")) == clock.from_text(utc)


@pytest.mark.parametrize("number", [float("inf"), float("nan")])
def test_what_is_no_number_is_no_time(number: float) -> None:
    with pytest.raises(PayloadError, match="bad_time"):
        clock.from_number(number)


TOPIC = "devices/press-7/telemetry"


def times(bench: Bench) -> list[int]:
    return [reading.time_us - NOW_US for reading in bench.store.readings]


async def test_messages_that_came_together_have_times_of_their_own() -> None:
    bench = Bench()

    bench.pipeline.accept_all([arrival(TOPIC, b'{"a":%d}' % n) for n in range(3)], NOW_US)
    bench.pipeline.accept_all([arrival(TOPIC, b'{"a":3}')], NOW_US + 1)
    bench.accept('{"a":4}', now_us=NOW_US + 100)

    assert [0, 1, 2, 3, 100] == times(bench)


async def test_a_device_time_is_not_touched() -> None:
    bench = Bench()
    body = b'{"ts":%d,"a":1}' % (NOW_US // 1000)

    bench.pipeline.accept_all([arrival(TOPIC, body)] * 2, NOW_US + 5)

    assert [0, 0] == times(bench)


async def test_records_of_one_message_have_times_of_their_own_and_the_next_message_comes_behind() -> None:
    bench = Bench()

    bench.accept('[{"a":1,"b":1},{"a":2},{"a":3}]')
    bench.accept('{"a":4}')

    assert [("a", 0), ("b", 0), ("a", 1), ("a", 2), ("a", 3)] == [
        (reading.metric, reading.time_us - NOW_US) for reading in bench.store.readings
    ]


async def test_lines_without_a_time_are_not_repeats() -> None:
    bench = Bench(routes=[RouteSettings(filter="devices/+/telemetry", decoder="influx")])

    bench.accept("weather temperature=1\nweather temperature=2")

    assert 2 == len(set(times(bench)))


async def test_nothing_of_old_state_is_stored_however_many_values_it_has() -> None:
    bench = Bench()

    bench.accept('[{"a":1},{"a":2}]', retained=True)

    assert [] == bench.store.readings
    assert 2 == bench.pipeline.counters.retained_untimed


def test_a_clock_that_was_set_back_counts_again() -> None:
    assert NOW_US - 1 == clock.before_next(0, NOW_US)
    assert NOW_US + 7 == clock.before_next(NOW_US + 7, NOW_US)
    assert NOW_US - 1 == clock.before_next(NOW_US + 1_000_000, NOW_US)


def test_only_readings_of_one_series_are_set_apart() -> None:
    readings = [
        Reading("d", "a", 7, 1.0),
        Reading("e", "a", 7, 1.0),
        Reading("d", "a", 7, 1.0),
        Reading("d", "a", 5, 1.0),
    ]

    assert 8 == clock.set_apart(readings, 7)
    assert [7, 7, 8, 5] == [reading.time_us for reading in readings]
