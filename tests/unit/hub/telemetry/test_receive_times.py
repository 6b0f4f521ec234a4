"""A µs of its own for each message, so that readings without a time are not taken for repeats."""

from hub.telemetry.receive_times import before_next, set_apart
from hub.telemetry.routes import RouteSettings
from storage.reading import Reading
from tests.support.telemetry import NOW_US, Bench

TOPIC = "devices/press-7/telemetry"


def times(bench: Bench) -> list[int]:
    return [reading.time_us - NOW_US for reading in bench.store.readings]


async def test_messages_that_came_together_have_times_of_their_own() -> None:
    bench = Bench()

    bench.pipeline.accept_all([(TOPIC, b'{"a":%d}' % n, None, False) for n in range(3)], NOW_US)
    bench.pipeline.accept_all([(TOPIC, b'{"a":3}', None, False)], NOW_US + 1)
    bench.accept('{"a":4}', now_us=NOW_US + 100)

    assert [0, 1, 2, 3, 100] == times(bench)


async def test_a_device_time_is_not_touched() -> None:
    bench = Bench()
    body = b'{"ts":%d,"a":1}' % (NOW_US // 1000)

    bench.pipeline.accept_all([(TOPIC, body, None, False)] * 2, NOW_US + 5)

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
    assert NOW_US - 1 == before_next(0, NOW_US)
    assert NOW_US + 7 == before_next(NOW_US + 7, NOW_US)
    assert NOW_US - 1 == before_next(NOW_US + 1_000_000, NOW_US)


def test_only_readings_of_one_series_are_set_apart() -> None:
    readings = [
        Reading("d", "a", 7, 1.0),
        Reading("e", "a", 7, 1.0),
        Reading("d", "a", 7, 1.0),
        Reading("d", "a", 5, 1.0),
    ]

    assert 8 == set_apart(readings, 7)
    assert [7, 7, 8, 5] == [reading.time_us for reading in readings]
