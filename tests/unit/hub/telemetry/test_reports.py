"""What people have reported about systems of this kind, as small payloads: each file is one member of a kind.

The files are tests/vectors/reports; further members of each kind stand beside the rule that they are about.
"""

from pathlib import Path

import pytest

from hub.telemetry.clock import iso_utc
from hub.telemetry.routes import RouteSettings
from tests.support.telemetry import NOW_US, Bench

REPORTS = Path(__file__).parents[3] / "vectors/reports"
METER = "45303034313030333531393532303137"
UPLINK = "application/7/device/0102030405060708/event/up"
VICTRON = RouteSettings(filter="N/+/+/+/#", device_level=(1, 2, 3))
SHELLIES = RouteSettings(filter="shellies/+/#", device_level=1, decoder="content")
READINGS: list[tuple[str, str, dict[str, object]]] = [
    ("p1-meter-id.json", "tele/p1/SENSOR", {"DSMR.Total_in": 1234.567, "DSMR.Power": 310.0}),
    ("p1-meter-id-bare.txt", "p1/meter/equipment_id", {"equipment_id": METER}),
    ("rfid-uid.json", "tele/door/SENSOR", {}),
    ("rfid-uid-small.json", "tele/door/SENSOR", {}),
    ("rfid-uid-bare.txt", "door/1/uid", {"uid": "04E98212"}),
    (
        "esphome-climate.txt",
        "living/climate/hvac/current_temperature/state",
        {"climate.hvac/current_temperature": 21.5},
    ),
    ("esphome-cover-position.txt", "living/cover/blind/position/state", {"cover.blind/position": 50.0}),
    ("esphome-climate-mode.txt", "living/climate/hvac/mode/state", {"climate.hvac/mode": "heat"}),
    (
        "chirpstack-v3-object.json",
        UPLINK,
        {"co2": 411.0, "temperature": 20.5, "lorawan.rssi": -57.0, "lorawan.snr": 8.2},
    ),
    (
        "chirpstack-v3-objectjson.json",
        UPLINK,
        {"co2": 411.0, "temperature": 20.5, "lorawan.rssi": -57.0, "lorawan.snr": 8.2},
    ),
    ("victron-voltage.json", "N/aa00/battery/256/Dc/0/Voltage", {"Dc.0.Voltage": 26.5}),
    ("victron-current.json", "N/aa00/battery/256/Dc/0/Current", {"Dc.0.Current": -3.1}),
    ("victron-empty.json", "N/aa00/battery/256/Soc", {}),
    ("shelly1-power.txt", "shellies/plug-a1/relay/0/power", {"relay.0.power": 23.4}),
    ("shelly1-energy.txt", "shellies/plug-a1/relay/0/energy", {"relay.0.energy": 1042.0}),
    ("shelly1-relay.txt", "shellies/plug-a1/relay/0", {"relay.0": True}),
    ("nul-json.bin", "room1/env", {"temp": 21.5}),
    ("nul-number.bin", "room1/temp", {"temp": 21.5}),
    ("nul-word.bin", "room1/motion", {"motion": "ON"}),
    ("opc-gateway.json", "plant/opc", {"Ch1.Dev1.Temp": 63.5, "Ch1.Dev1.Speed": 900.0}),
    (
        "phone-location.json",
        "owntracks/anna/phone",
        {"latitude": 10.5, "longitude": 20.25, "accuracy": 15.0, "velocity": 4.0, "battery": 98.0},
    ),
    ("statestream-quoted.txt", "statestream/sensor/pump/state", {"state": "Online"}),
    ("zigbee-options.json", "zigbee2mqtt/lamp", {"brightness": "215"}),
]


def accept(bench: Bench, name: str, topic: str) -> dict[str, object]:
    bench.store.readings.clear()
    bench.accept((REPORTS / name).read_bytes(), topic)
    return {reading.metric: reading.value for reading in bench.store.readings}


@pytest.mark.parametrize(("name", "topic", "expected"), READINGS)
async def test_a_payload_gives_its_readings_without_configuration(
    name: str, topic: str, expected: dict[str, object]
) -> None:
    bench = Bench()

    assert accept(bench, name, topic) == expected
    assert bench.reasons == []


async def test_what_is_below_a_routes_wildcard_names_the_metric() -> None:
    bench = Bench(routes=[VICTRON, SHELLIES])

    assert accept(bench, "victron-voltage.json", "N/aa00/battery/256/Dc/0/Voltage") == {"Dc.0.Voltage": 26.5}
    assert accept(bench, "victron-current.json", "N/aa00/battery/256/Dc/0/Current") == {"Dc.0.Current": -3.1}
    assert {reading.device for reading in bench.store.readings} == {"aa00.battery.256"}
    assert accept(bench, "victron-empty.json", "N/aa00/battery/256/Soc") == {}
    assert accept(bench, "shelly1-power.txt", "shellies/plug-a1/relay/0/power") == {"relay.0.power": 23.4}
    assert accept(bench, "shelly1-energy.txt", "shellies/plug-a1/relay/0/energy") == {"relay.0.energy": 1042.0}
    assert accept(bench, "shelly1-relay.txt", "shellies/plug-a1/relay/0") == {"relay.0": "on"}
    assert {reading.device for reading in bench.store.readings} == {"plug-a1"}
    assert bench.reasons == []


async def test_codes_beside_numbers_in_quotes_keep_their_digits() -> None:
    bench = Bench(routes=[RouteSettings(filter="lab/+", decoder="content", numbers="text")])

    assert accept(bench, "quoted-code.json", "lab/x") == {
        "code": "000012300007",
        "temperature": 21.5,
        "serial": METER,
    }
    assert bench.reasons == []


async def test_a_route_without_a_wildcard_for_the_rest_hands_on_the_event() -> None:
    route = RouteSettings(filter="application/+/device/+/event/+", device_level=3, decoder="chirpstack", numbers="text")
    bench = Bench(routes=[route])

    assert accept(bench, "lorawan-text-number.json", UPLINK) == {
        "TempC": -1.6,
        "BatV": 3.05,
        "lorawan.rssi": -106.0,
        "lorawan.snr": -3.0,
    }
    assert {reading.device for reading in bench.store.readings} == {"0102030405060708"}


async def test_options_of_routes_count_or_stop_the_start() -> None:
    route = RouteSettings(filter="zigbee2mqtt/#", decoder="zigbee2mqtt", numbers="text", arrays=True)
    bench = Bench(routes=[route])

    assert accept(bench, "zigbee-options.json", "zigbee2mqtt/lamp") == {
        "brightness": 215.0,
        "week.0": 1.0,
        "week.1": 2.0,
    }


async def test_two_sensors_behind_one_receiver_are_two_devices() -> None:
    bench = Bench()

    for name in ("rtl433-first.json", "rtl433-second.json"):
        bench.accept((REPORTS / name).read_bytes(), "rtl_433/pi/events")

    assert [(reading.device, reading.value, reading.unit) for reading in bench.store.readings] == [
        ("Weather-5n1.1234", 60.4, "degF"),
        ("Weather-5n1.77", 71.0, "degF"),
    ]
    assert len({reading.time_us for reading in bench.store.readings}) == 1


async def test_a_phones_queue_keeps_its_times() -> None:
    bench = Bench()

    accept(bench, "phone-location.json", "owntracks/anna/phone")

    assert {(reading.device, iso_utc(reading.time_us)) for reading in bench.store.readings} == {
        ("anna.phone", "2025-11-29T10:00:00.000Z")
    }


async def test_opc_values_have_their_own_times() -> None:
    bench = Bench()

    accept(bench, "opc-gateway.json", "plant/opc")

    assert {reading.time_us for reading in bench.store.readings} == {1_764_410_400_193_000}


@pytest.mark.parametrize(
    ("name", "topic", "stored", "reason", "place"),
    [
        ("nan-in-json.json", "tele/t1/SENSOR", {"BMP280.Pressure": 1003.2}, "not_a_number", "'DHT11.Temperature': nan"),
        ("influx-one-bad-line.txt", "telegraf/x", {"cpu.usage": 2.5}, "bad_line", "line 2"),
    ],
)
async def test_one_bad_value_costs_one_value_and_is_named_with_its_place(
    name: str, topic: str, stored: dict[str, object], reason: str, place: str
) -> None:
    bench = Bench()

    assert accept(bench, name, topic) == stored
    assert bench.reasons == [reason]
    assert bench.store.quarantined[0].detail.startswith(place)


async def test_the_good_lines_of_a_batch_are_all_stored() -> None:
    bench = Bench()

    accept(bench, "influx-one-bad-line.txt", "telegraf/x")

    assert [(reading.device, reading.value) for reading in bench.store.readings] == [("w1", 1.5), ("w1", 2.5)]


async def test_a_datatype_other_than_born_is_named_as_such() -> None:
    bench = Bench()

    accept(bench, "sparkplug-type-1-nbirth.bin", "spBv1.0/G/NBIRTH/N")
    accept(bench, "sparkplug-type-2-ndata.bin", "spBv1.0/G/NDATA/N")

    assert bench.reasons == ["bad_datatype"]
    assert bench.store.quarantined[0].detail == "'Count' was born Int32 and is sent as Int64"
    assert bench.commands == []


async def test_integers_that_a_double_cannot_hold_keep_every_digit() -> None:
    bench = Bench()
    for line in (REPORTS / "big-integers.jsonl").read_bytes().splitlines():
        bench.accept(line, now_us=1_795_000_100_000_000)

    assert [(reading.metric, reading.value) for reading in bench.store.readings] == [
        ("energy_wh", "9007199254740993"),
        ("card", "9223372036854775807"),
        ("card", "18446744073709551615"),
    ]
    assert bench.reasons == []


async def test_good_values_beside_one_that_is_no_number_are_stored() -> None:
    bench = Bench()
    first, second, third = (REPORTS / "not-a-number.jsonl").read_bytes().splitlines()
    bench.accept(first)
    bench.accept(second)
    bench.accept(third, "tele/t1/SENSOR", now_us=NOW_US + 10 * 86_400_000_000)

    assert [(reading.metric, reading.value) for reading in bench.store.readings] == [
        ("humidity", 40.0),
        ("humidity", 41.0),
        ("SI7021-00.Temperature", 17.1),
        ("SI7021-04.Temperature", 10.0),
    ]
    assert bench.reasons == ["not_a_number"] * 3
