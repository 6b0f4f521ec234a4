"""The examples of docs/reference/payloads.md are true."""

import re
import tomllib
from pathlib import Path

import orjson
import pytest

from hub.settings.model import TelemetrySettings
from hub.telemetry.clock import iso_utc
from hub.telemetry.decoders import DECODERS, MEDIA_TYPES
from storage.reading import Reading
from tests.support.telemetry import NOW_US, Bench

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs/reference/payloads.md").read_text(encoding="utf-8")


def rows(header: str) -> list[list[str]]:
    """Return the cells of the table that begins with `header`."""
    lines = iter(PAGE.splitlines())
    for line in lines:
        if line.startswith(header):
            break
    next(lines)
    found = []
    for line in lines:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    assert found, header
    return found


def as_written(reading: Reading) -> str:
    value = reading.value
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    return f"{reading.metric}={orjson.dumps(number).decode()} {reading.unit}".rstrip()


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]*)`", cell)


@pytest.mark.parametrize(("payload", "readings", "times"), rows("| Payload | Readings"))
async def test_a_payload_gives_the_readings_of_its_row(payload: str, readings: str, times: str) -> None:
    bench = Bench()

    bench.accept(payload.strip("`"))

    assert code(readings) == [as_written(reading) for reading in bench.store.readings]
    assert {time.replace("R", iso_utc(NOW_US)) for time in times.split()} == {
        iso_utc(reading.time_us) for reading in bench.store.readings
    }
    assert {"press-7"} >= {reading.device for reading in bench.store.readings}
    assert bench.reasons == []


@pytest.mark.parametrize(("payload", "reason", "stored"), rows("| Payload | Reason"))
async def test_a_bad_payload_is_quarantined_with_the_reason_of_its_row(payload: str, reason: str, stored: str) -> None:
    bench = Bench()

    bench.accept(payload.strip("`"))

    assert code(reason) == bench.reasons
    assert code(stored) == [as_written(reading) for reading in bench.store.readings]


FIRMWARES = (
    *("Sparkplug", "Homie", "Tasmota", "Shelly", "Zigbee2MQTT", "ESPHome", "ChirpStack", "Things Stack"),
    *("Shelly Gen1", "OwnTracks", "Theengs", "Ruuvi", "rtl_433", "Statestream", "P1", "Meshtastic", "Envelope"),
)


@pytest.mark.parametrize("header", [f"| {firmware} topic" for firmware in FIRMWARES])
async def test_messages_in_the_order_of_a_table_give_the_readings_of_their_rows(header: str) -> None:
    bench = Bench()
    for topic, payload, readings in rows(header):
        text = payload.strip("`")
        bench.store.readings.clear()

        bench.accept(bytes.fromhex(text) if "Sparkplug" in header else text, topic.strip("`"))

        expected = [] if readings.startswith("nothing") else code(readings)
        assert expected == [as_written(reading) for reading in bench.store.readings]
    assert bench.reasons == []


@pytest.mark.parametrize(("topic", "payload", "gives"), rows("| Content topic"))
async def test_a_topic_without_a_route_gives_what_its_row_says(topic: str, payload: str, gives: str) -> None:
    bench = Bench()

    bench.accept(payload.strip("`"), topic.strip("`"))

    expected = [tuple(code(gives))] if gives != "nothing" else []
    assert [(reading.device, as_written(reading)) for reading in bench.store.readings] == expected
    assert bench.reasons == []


async def test_the_example_of_a_users_format_works() -> None:
    section = PAGE.partition("## Formats of your own")[2].partition("\n## ")[0]
    settings = re.search(r"```toml\n(.*?)```", section, re.DOTALL)
    payload = re.search(r"```\n(\{.*?)\n```", section)
    readings = re.search(r"for device (`.*?`) the readings (.*)\.", section)
    assert settings and payload and readings  # noqa: PT018 - the page has all three
    bench = Bench(formats=TelemetrySettings(**tomllib.loads(settings[1])["telemetry"]).formats)

    bench.accept(payload[1], "acme/p7/up")

    assert code(readings[2]) == [as_written(reading) for reading in bench.store.readings]
    assert set(code(readings[1])) == {reading.device for reading in bench.store.readings}


def test_every_decoder_has_a_row() -> None:
    assert {cell[0].strip("`") for cell in rows("| decoder |")} == set(DECODERS)
    assert {media for cell in rows("| decoder |") for media in code(cell[2])} == set(MEDIA_TYPES)


def test_the_published_example_is_what_the_hub_publishes() -> None:
    from hub.telemetry.readings_topic import Series

    example = re.search(r"```json\n(.*)\n```", PAGE)

    assert example is not None
    time_us = NOW_US + 123_000
    assert example[1].encode() == Series("press-7", "temperature").body(time_us, 21.5, "Cel", late=True)
