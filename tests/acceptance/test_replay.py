"""A recording of 22,695 readings passes MQTT, bridge and hub at full speed and rests in Postgres, each reading once."""

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import stomp
from stomp.utils import Frame

from tests.support.system import System
from tests.support.vectors import MACHINE_TEMPERATURE
from tests.support.waiting import wait_for

READINGS_SQL = """
SELECT r.ts, r.value FROM readings r
JOIN series s ON s.id = r.series_id JOIN devices d ON d.id = s.device_id
WHERE d.name = $1 AND s.metric = $2 ORDER BY r.ts
"""


class Subscriber(stomp.ConnectionListener):  # type: ignore[misc]  # stomp.py ships no types
    """What a dashboard gets."""

    def __init__(self) -> None:
        self.received: list[tuple[datetime, float]] = []

    def on_message(self, frame: Frame) -> None:
        reading = json.loads(frame.body)
        assert ("machine-1", "temperature") == (reading["device"], reading["metric"])
        self.received.append((datetime.fromisoformat(reading["t"]), reading["v"]))


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    with System(tmp_path) as system:
        yield system


def recorded() -> list[tuple[datetime, float]]:
    """Read the file without the code under test; a repeated time is sent a millisecond later, as replay says."""
    readings: dict[datetime, float] = {}
    with MACHINE_TEMPERATURE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            at = datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC)
            while at in readings:
                at += timedelta(milliseconds=1)
            readings[at] = float(row["value"])
    return sorted(readings.items())


def test_a_recording_is_stored_exactly_once_and_seen_by_a_subscriber(system: System) -> None:
    expected = recorded()
    subscriber = Subscriber()
    dashboard = stomp.WSStompConnection([("127.0.0.1", system.http_port)], ws_path="/ws")
    dashboard.set_listener("", subscriber)
    dashboard.connect(wait=True)
    dashboard.subscribe("/topic/readings/machine-1/temperature", id="sub-0")

    replay = ["replay", str(MACHINE_TEMPERATURE), "--device", "machine-1", "--metric", "temperature", "--speed", "max"]
    replay += ["--mqtt-url", system.mqtt_url, "--ledger", str(system.ledger)]
    first = system.device_sim(*replay)
    wait_for(lambda: len(subscriber.received) >= len(expected), 60)
    wait_for(lambda: system.verify()["lost"] == 0, 60)
    dashboard.disconnect()

    assert (22_695, 22_695) == (first["published"], first["acknowledged"])
    assert expected == [(row["ts"], row["value"]) for row in system.query(READINGS_SQL, "machine-1", "temperature")]
    assert expected == sorted(subscriber.received)

    again = system.device_sim(*replay)
    wait_for(lambda: system.metrics().get("hub_readings_duplicate_total", 0) >= len(expected), 60)

    assert 22_695 == again["acknowledged"]
    assert len(expected) == system.query("SELECT count(*) AS n FROM readings")[0]["n"]
