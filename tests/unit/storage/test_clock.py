"""The database's clock from the machine's uptime."""

import time

from storage.clock import DatabaseClock

HOUR_US = 3_600_000_000


def wall_us() -> int:
    return time.time_ns() // 1000


def told(offset_us: int) -> DatabaseClock:
    """Return a clock that was told of a database whose clock is ahead of ours."""
    clock = DatabaseClock()
    uptime_us = time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)) // 1000
    clock.note(wall_us() + offset_us, uptime_us - 1000, uptime_us + 1000)
    return clock


def test_before_the_first_measurement_times_are_taken_as_they_are_and_not_trusted() -> None:
    clock = DatabaseClock()

    assert 17 == clock.corrected(17)
    assert not clock.trusted
    assert clock.problem is None


def test_while_the_clocks_agree_the_hubs_own_is_used() -> None:
    clock, now_us = told(1_000_000), wall_us()

    assert now_us == clock.corrected(now_us)
    assert clock.trusted
    assert clock.problem is None


def test_a_hub_that_is_behind_or_ahead_takes_the_databases_time_and_says_so() -> None:
    for offset_us, side in ((HOUR_US, "behind"), (-HOUR_US, "ahead of")):
        clock, now_us = told(offset_us), wall_us()

        assert abs(clock.corrected(now_us) - now_us - offset_us) < 1_000_000
        assert not clock.trusted
        assert f"3,600 s {side} the database's" in (clock.problem or "")


def test_a_step_of_the_wall_clock_is_noticed_with_the_next_message() -> None:
    clock, now_us = told(0), wall_us()

    assert abs(clock.corrected(now_us + 200 * 24 * HOUR_US) - now_us) < 1_000_000
    assert abs(clock.corrected(now_us - 200 * 24 * HOUR_US) - now_us) < 1_000_000
