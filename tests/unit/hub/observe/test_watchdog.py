"""What holds the event loop is counted and told, and an alarm is raised when it is late again and again."""

import time

import structlog

from hub.observe.loop_lag import ALARM_OF, LATE_S, LOOKS, LoopLag
from hub.observe.watchdog import Watchdog


def hold_the_loop(watchdog: Watchdog, stalls: int) -> None:
    end = time.monotonic() + 5
    while watchdog.stalls < stalls and time.monotonic() < end:
        pass


def test_a_stall_is_told_once_with_what_held_it() -> None:
    watchdog = Watchdog()
    with structlog.testing.capture_logs() as logs:
        watchdog.start()
        hold_the_loop(watchdog, 1)
        watchdog.beat(0.0)
        hold_the_loop(watchdog, 2)
        watchdog.stop()

    assert 2 == watchdog.stalls
    [line] = logs
    assert "loop_held" == line["event"]
    assert any(one.endswith(" hold_the_loop") for one in line["held_by"]), line


def test_the_alarm_begins_when_it_is_late_again_and_again_and_ends_when_it_is_not() -> None:
    lag = LoopLag()
    with structlog.testing.capture_logs() as logs:
        alarms = []
        for late_s in [2 * LATE_S] * ALARM_OF + [0.0] * LOOKS:
            lag.note(late_s)
            alarms.append(lag.alarm)
    assert [ALARM_OF - 1, LOOKS] == [alarms.index(True), alarms.count(True)]
    assert ["loop_lag_alarm", "loop_lag_over"] == [line["event"] for line in logs]
    assert lag.health()["ok"], "a hub that is late serves"
