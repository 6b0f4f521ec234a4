"""Local times without a zone in the night in which the clock is set back."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hub.telemetry.audience import Audience
from hub.telemetry.local_time import LocalTimes
from hub.telemetry.pipeline import Pipeline
from hub.telemetry.routes import DEFAULT_ROUTES, Routes
from tests.support.telemetry import Bench

NIGHTS = {
    "Europe/Berlin": "2026-10-24T23:00",
    "America/New_York": "2026-11-01T04:00",
    "Australia/Lord_Howe": "2026-04-04T13:30",
    "America/St_Johns": "2026-11-01T03:00",
}


def us(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)


def night(zone: str, minutes: float, hours: float = 4) -> list[tuple[datetime, datetime]]:
    """Return the true times of a device that measures every so many minutes, and what it writes."""
    begin = datetime.fromisoformat(NIGHTS[zone]).replace(tzinfo=UTC)
    times = [begin + timedelta(minutes=minutes) * at for at in range(round(hours * 60 / minutes))]
    return [(time, time.astimezone(ZoneInfo(zone)).replace(tzinfo=None)) for time in times]


@pytest.mark.parametrize("zone", NIGHTS)
@pytest.mark.parametrize("minutes", [1, 5, 20, 60])
@pytest.mark.parametrize("delay_s", [0, 20])
def test_a_device_that_sends_as_it_measures_has_both_hours(zone: str, minutes: float, delay_s: float) -> None:
    times = LocalTimes(ZoneInfo(zone))

    found = [times.microseconds(local, us(true + timedelta(seconds=delay_s))) for true, local in night(zone, minutes)]

    assert [us(true) for true, _ in night(zone, minutes)] == found


@pytest.mark.parametrize("zone", NIGHTS)
def test_a_hub_that_is_started_within_the_second_hour_knows_it(zone: str) -> None:
    for true, local in night(zone, 7):
        assert us(true) == LocalTimes(ZoneInfo(zone)).microseconds(local, us(true))


@pytest.mark.parametrize("zone", NIGHTS)
@pytest.mark.parametrize("days", [0.5, 40])
def test_a_memory_that_is_sent_later_has_both_hours_each_time_it_is_sent(zone: str, days: float) -> None:
    times = LocalTimes(ZoneInfo(zone))
    received_us = us(night(zone, 5)[-1][0] + timedelta(days=days))

    for repeat in range(3):
        found = [
            times.microseconds(local, received_us + repeat * 1_000_000 + at)
            for at, (_, local) in enumerate(night(zone, 5))
        ]
        assert [us(true) for true, _ in night(zone, 5)] == found


def test_an_hour_that_does_not_exist_is_taken_as_before_it() -> None:
    times = LocalTimes(ZoneInfo("Europe/Berlin"))

    found = times.microseconds(datetime(2026, 3, 29, 2, 30), 0)  # noqa: DTZ001 - without a zone, as it is sent

    assert us(datetime(2026, 3, 29, 1, 30, tzinfo=UTC)) == found


async def test_a_firmware_without_a_zone_loses_no_reading_in_that_night() -> None:
    """Through the pipeline: two devices that send Tasmota's `Time`, one every minute, one once an hour."""
    bench = Bench()
    bench.pipeline = Pipeline(Routes(DEFAULT_ROUTES, zone="Europe/Berlin"), bench.store, Audience(bench.broker))
    sent = [(true, local, "often") for true, local in night("Europe/Berlin", 1)]
    sent += [(true, local, "hourly") for true, local in night("Europe/Berlin", 60)]

    for number, (true, local, device) in enumerate(sorted(sent)):
        body = json.dumps({"Time": local.isoformat(timespec="seconds"), "DS18B20": {"Temperature": number}})
        bench.accept(body, f"tele/{device}/SENSOR", now_us=us(true))

    assert sorted((us(true), device) for true, _, device in sent) == sorted(
        (reading.time_us, reading.device) for reading in bench.store.readings
    )
