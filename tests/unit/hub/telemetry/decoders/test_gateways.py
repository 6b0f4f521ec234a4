"""Formats of gateways and apps that need no configuration: topics, device, metrics, units, time, what is no reading."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.telemetry.decoders import DECODERS
from hub.telemetry.routes import RouteSettings
from storage.reading import Reading
from tests.support.telemetry import NOW_US, Bench
from tests.unit.hub.telemetry.decoders.fuzz import cut, documents, survive

T_US = 1_764_410_400_000_000  # 2025-11-29T10:00:00Z


def taken(topic: str, body: object, bench: Bench | None = None) -> tuple[list[Reading], Bench]:
    bench = bench or Bench()
    bench.store.readings.clear()
    bench.accept(body if isinstance(body, str | bytes) else json.dumps(body), topic)
    return list(bench.store.readings), bench


def told(readings: list[Reading]) -> dict[str, str]:
    """Values with units by metric, as they are easy to read."""
    return {reading.metric: f"{reading.value} {reading.unit}".strip() for reading in readings}


DF5 = "0201061BFF99040512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F"  # Ruuvi's own example of format 5
TELEGRAM = (
    "/ISK5\\2M550E-1013\r\n\r\n1-3:0.2.8(50)\r\n0-0:1.0.0(251129110000W)\r\n"
    "0-0:96.1.1(4530303434303037313331363530363137)\r\n1-0:1.8.1(001234.567*kWh)\r\n1-0:1.7.0(00.310*kW)\r\n"
    "0-0:96.14.0(0002)\r\n0-1:24.1.0(003)\r\n0-1:24.2.1(251129105500W)(00123.456*m3)\r\n!1F2E\r\n"
)
GIVEN: list[tuple[str, object, str, dict[str, str], int]] = [
    # Shelly, first generation
    ("shellies/plug-a1/relay/0/power", "23.40", "plug-a1", {"relay.0.power": "23.4 W"}, NOW_US),
    ("shellies/plug-a1/relay/0", "off", "plug-a1", {"relay.0": "False"}, NOW_US),
    ("shellies/em-1/emeter/1/total", "1042.5", "em-1", {"emeter.1.total": "1042.5 Wh"}, NOW_US),
    ("shellies/ht-1/sensor/temperature", "-3.25", "ht-1", {"sensor.temperature": "-3.25 Cel"}, NOW_US),
    ("shellies/plug-a1/overtemperature", "0", "plug-a1", {"overtemperature": "False"}, NOW_US),
    # OwnTracks
    (
        "owntracks/anna/phone",
        {"_type": "location", "lat": 10.5, "lon": 20.25, "alt": 0, "tst": 1764410400, "conn": "w", "inrids": ["a"]},
        "anna.phone",
        {"latitude": "10.5 lat", "longitude": "20.25 lon", "altitude": "0.0 m"},
        T_US,
    ),
    # OpenMQTTGateway, Theengs
    (
        "home/OMG/BTtoMQTT/A4C138000102",
        {
            "id": "A4:C1:38:00:01:02",
            "name": "LYWSD03",
            "rssi": -70,
            "tempc": 22.1,
            "tempf": 71.78,
            "hum": 50,
            "batt": 90,
        },
        "A4:C1:38:00:01:02",
        {"rssi": "-70.0 dBm", "tempc": "22.1 Cel", "hum": "50.0 %RH", "batt": "90.0 %EL"},
        NOW_US,
    ),
    ("home/TheengsGateway/BTtoMQTT/AA0001", {"volt": 3.1}, "AA0001", {"volt": "3.1 V"}, NOW_US),
    ("home/OMG/SYStoMQTT", {"uptime": 5, "freemem": 100, "ip": "10.0.0.2"}, "home/OMG", {}, NOW_US),
    # Ruuvi Gateway
    (
        "ruuvi/C8:25:2D:8E:9C:2C/CB:B8:33:4C:88:4F",
        {
            "gw_mac": "C8:25:2D:8E:9C:2C",
            "rssi": -65,
            "aoa": [],
            "gwts": "1764410401",
            "ts": "1764410400",
            "data": DF5,
            "coords": "",
        },
        "CB:B8:33:4C:88:4F",
        {
            "rssi": "-65.0 dBm",
            "temperature": "24.3 Cel",
            "humidity": "53.49 %RH",
            "pressure": "100044.0 Pa",
            "accelX": "0.004 g",
            "accelY": "-0.004 g",
            "accelZ": "1.036 g",
            "voltage": "2.977 V",
            "txPower": "4.0 dBm",
            "movementCounter": "66.0",
            "measurementSequenceNumber": "205.0",
        },
        T_US,
    ),
    (
        "ruuvi/C8:25:2D:8E:9C:2C/CB:B8:33:4C:88:4F",
        {"gw_mac": "x", "rssi": -65, "ts": 1764410400, "temperature": 24.3, "humidity": None, "data": DF5},
        "CB:B8:33:4C:88:4F",
        {"rssi": "-65.0 dBm", "temperature": "24.3 Cel"},
        T_US,
    ),
    # rtl_433
    (
        "rtl_433/pi/events",
        {
            "time": "2025-11-29T10:00:00+0000",
            "model": "Acurite",
            "channel": "A",
            "id": 7,
            "battery_ok": 1,
            "humidity": 40,
            "mic": "CRC",
        },
        "Acurite.A.7",
        {"battery_ok": "1.0", "humidity": "40.0 %RH"},
        T_US,
    ),
    ("rtl_433/pi/devices/Acurite/A/7/temperature_C", "21.5", "Acurite.A.7", {"temperature_C": "21.5 Cel"}, NOW_US),
    # Home Assistant statestream
    ("statestream/binary_sensor/door/state", "on", "binary_sensor.door", {"state": "True"}, NOW_US),
    ("statestream/light/lamp/brightness", "215", "light.lamp", {"brightness": "215.0"}, NOW_US),
    ("statestream/sensor/pump/state", "unavailable", "", {}, NOW_US),
    # P1 readers
    (
        "dsmr/reading/electricity_delivered_1",
        "1234.567",
        "dsmr",
        {"reading.electricity_delivered_1": "1234.567"},
        NOW_US,
    ),
    (
        "dsmr/json",
        {
            "timestamp": "2025-11-29T11:00:00+01:00",
            "electricity_delivered_1": "1234.567",
            "equipment_id": "4530303434303037",
        },
        "dsmr",
        {"electricity_delivered_1": "1234.567", "equipment_id": "4530303434303037"},
        T_US,
    ),
    (
        "DSMR-API/power_delivered",
        {"power_delivered": [{"value": 0.31, "unit": "kW"}]},
        "DSMR-API",
        {"power_delivered": "0.31 kW"},
        NOW_US,
    ),
    (
        "p1/telegram",
        TELEGRAM,
        "p1/telegram",
        {"1-0:1.8.1": "1234.567 kWh", "1-0:1.7.0": "0.31 kW", "0-0:96.14.0": "2.0", "0-1:24.2.1": "123.456 m3"},
        T_US,
    ),
    # Meshtastic
    (
        "msh/EU_868/2/json/LongFast/!7efeee00",
        {
            "from": 2130636288,
            "to": 4294967295,
            "id": 1,
            "sender": "!7efeee00",
            "type": "telemetry",
            "timestamp": 1764410400,
            "payload": {"battery_level": 90, "voltage": 4.1, "air_util_tx": 0.0},
            "rssi": -60,
            "snr": 6.5,
        },
        "!7efeee00",
        {
            "battery_level": "90.0 %EL",
            "voltage": "4.1 V",
            "air_util_tx": "0.0 /100",
            "link.!7efeee00.rssi": "-60.0 dBm",
            "link.!7efeee00.snr": "6.5 dB",
        },
        T_US,
    ),
    (
        "msh/US/CA/2/json/LongFast/!00000001",
        {
            "from": 2130636288,
            "type": "position",
            "timestamp": 1764410401,
            "payload": {"latitude_i": 105000000, "longitude_i": -202500000, "time": 1764410400},
        },
        "!7efeee00",
        {"latitude": "10.5 lat", "longitude": "-20.25 lon"},
        T_US,
    ),
    # Victron, AWS, Azure, OPC
    (
        "N/c0619ab/battery/256/Dc/0/Voltage",
        {"value": 26.5, "max": 30, "min": None},
        "c0619ab.battery.256",
        {"Dc.0.Voltage": "26.5", "Dc.0.Voltage.max": "30.0"},
        NOW_US,
    ),
    (
        "$aws/things/press-7/shadow/update/accepted",
        {
            "state": {"reported": {"temp": 21.5, "env": {"on": True}}, "desired": {"temp": 20}},
            "metadata": {},
            "version": 3,
            "timestamp": 1764410400,
        },
        "press-7",
        {"temp": "21.5", "env.on": "True"},
        T_US,
    ),
    (
        "$aws/things/press-7/shadow/update/documents",
        {
            "previous": {"state": {}},
            "current": {"state": {"reported": {"temp": 21.5}}, "version": 4},
            "timestamp": 1764410400,
        },
        "press-7",
        {"temp": "21.5"},
        T_US,
    ),
    ("site/press", {"state": {"reported": {"temp": 1}}}, "site/press", {"temp": "1.0"}, NOW_US),
    (
        "site/wise",
        {
            "propertyAlias": "/plant/temp",
            "propertyValues": [
                {
                    "value": {"doubleValue": 21.5},
                    "timestamp": {"timeInSeconds": 1764410400, "offsetInNanos": 0},
                    "quality": "GOOD",
                }
            ],
        },
        "site/wise",
        {"plant/temp": "21.5"},
        T_US,
    ),
    ("devices/press-7/messages/events/", {"temp": 21.5}, "press-7", {"temp": "21.5"}, NOW_US),
    ("devices/press-7/messages/events/$.ct=application%2Fjson", {"temp": 21.5}, "press-7", {"temp": "21.5"}, NOW_US),
    (
        "hub/routed",
        {
            "enqueuedTime": "2025-11-29T10:00:00Z",
            "body": {"temp": 21.5},
            "systemProperties": {"iothub-connection-device-id": "press-7"},
            "properties": {},
        },
        "press-7",
        {"temp": "21.5"},
        T_US,
    ),
    (
        "central/export",
        {
            "deviceId": "press-7",
            "enqueuedTime": "2025-11-29T10:00:00Z",
            "telemetry": {"temp": 21.5},
            "messageSource": "telemetry",
        },
        "press-7",
        {"temp": "21.5"},
        T_US,
    ),
    (
        "events",
        {
            "specversion": "1.0",
            "id": "1",
            "source": "/x",
            "type": "t",
            "subject": "press-7",
            "time": "2025-11-29T10:00:00Z",
            "data": {"temp": 21.5},
        },
        "press-7",
        {"temp": "21.5"},
        T_US,
    ),
    (
        "opc/pub",
        {
            "MessageId": "1",
            "MessageType": "ua-data",
            "PublisherId": "edge",
            "Messages": [{"Payload": {"temp": {"Value": 21.5, "SourceTimestamp": "2025-11-29T10:00:00Z"}}}],
        },
        "edge",
        {"temp": "21.5"},
        T_US,
    ),
    (
        "opc/sample",
        {"NodeId": "ns=2;s=temp", "Value": {"Value": 21.5, "SourceTimestamp": "2025-11-29T10:00:00Z"}},
        "opc/sample",
        {"ns=2;s=temp": "21.5"},
        T_US,
    ),
    (
        "iotgateway",
        {
            "timestamp": 1764410499000,
            "values": [{"id": "A.b", "v": 1.5, "q": True, "t": 1764410400000}, {"id": "A.c", "v": "run"}],
        },
        "iotgateway",
        {"A.b": "1.5"},
        T_US,
    ),
    # TTN's normalized payload, ChirpStack before 3.11
    (
        "v3/app@t/devices/dev1/up/normalized",
        {
            "uplink_message": {
                "f_port": 1,
                "frm_payload": "AA==",
                "normalized_payload": {"air": {"temperature": 21.5, "relativeHumidity": 0}, "battery": 3.1},
                "received_at": "2025-11-29T10:00:00Z",
            }
        },
        "dev1",
        {"air.temperature": "21.5 Cel", "air.relativeHumidity": "0.0 %RH", "battery": "3.1 V"},
        T_US,
    ),
    (
        "application/1/device/000425191801d630/rx",
        {
            "applicationID": "1",
            "devEUI": "000425191801d630",
            "rxInfo": [{"rssi": -67, "loRaSNR": 0, "time": "2025-11-29T10:00:00Z"}],
            "fPort": 1,
            "object": {"t": {"1": 22.5}},
        },
        "000425191801d630",
        {"t.1": "22.5", "lorawan.rssi": "-67.0 dBm", "lorawan.snr": "0.0 dB"},
        T_US,
    ),
]


@pytest.mark.parametrize(("topic", "body", "device", "expected", "time_us"), GIVEN, ids=[row[0] for row in GIVEN])
async def test_a_message_gives_its_readings(
    topic: str, body: object, device: str, expected: Mapping[str, str], time_us: int
) -> None:
    readings, bench = taken(topic, body)

    at_that_time = [reading for reading in readings if reading.time_us == time_us]
    assert told(at_that_time) == expected or expected == {}
    assert {reading.device for reading in readings} <= {device}
    assert bench.reasons == []


@pytest.mark.parametrize(
    ("topic", "body", "kind"),
    [
        ("shellies/announce", {"id": "plug-a1"}, "metadata"),
        ("shellies/plug-a1/info", {"wifi_sta": {}}, "metadata"),
        ("shellies/plug-a1/relay/0/command", "on", "command"),
        ("shellies/bulb/color/0/status", {"ison": True}, "repeated"),
        ("owntracks/anna/phone/event", {"_type": "transition", "event": "enter"}, "event"),
        ("owntracks/anna/phone", {"_type": "encrypted", "data": "x"}, "encrypted"),
        ("owntracks/anna/phone/cmd", {"_type": "cmd"}, "command"),
        ("home/OMG/commands/MQTTto433", {"value": 1}, "command"),
        ("rtl_433/pi/states", {"uptime": 5}, "metadata"),
        ("rtl_433/pi/devices/Acurite/A/7/model", "Acurite", "metadata"),
        ("ruuvi/gw/CB:B8:33:4C:88:4F", {"rssi": -65, "data": "0201061BFF99040"}, "not_decoded"),
        ("statestream/sensor/pump/friendly_name", '"Pump"', "metadata"),
        ("dsmr/reading/timestamp", "2025-11-29T10:00:00+01:00", "time"),
        ("msh/EU_868/2/e/LongFast/!7efeee00", b"\x0a\x01\xff", "encrypted"),
        ("msh/EU_868/2/json/LongFast/!7efeee00", {"from": 1, "type": "text", "payload": {"text": "hi"}}, "event"),
        ("$aws/things/press-7/shadow/update/delta", {"state": {"temp": 20}}, "target"),
        ("$aws/things/press-7/shadow/update/rejected", {"code": 400}, "answer"),
        ("$aws/things/press-7/shadow/get", "", "command"),
        ("iotgateway", {"values": [{"id": "A.b", "v": 1, "q": False}]}, "quality_bad"),
    ],
)
async def test_what_is_no_reading_is_counted_as_what_it_is(topic: str, body: object, kind: str) -> None:
    readings, bench = taken(topic, body)

    assert bench.pipeline.counters.skipped[kind] == 1
    assert bench.reasons == []
    assert [reading.metric for reading in readings] in ([], ["rssi"], ["A.b"])


@pytest.mark.parametrize(
    ("topic", "body", "device", "online"),
    [
        ("shellies/plug-a1/online", "true", "plug-a1", True),
        ("owntracks/anna/phone", {"_type": "lwt", "tst": 1}, "anna.phone", False),
        ("home/OMG/LWT", "offline", "home/OMG", False),
        ("msh/EU_868/2/stat/!7efeee00", "online", "!7efeee00", True),
        ("tele/t1/LWT", "online", "t1", True),
        ("tele/t1/LWT", b"Offline\0", "t1", False),
        ("plant/p1/LWT", "Online", "plant/p1", True),
        ("plant/p1/lwt", '"offline"', "plant/p1", False),
        ("node/status", b"online\0", "node", True),
    ],
)
async def test_presence_is_a_state(topic: str, body: object, device: str, online: bool) -> None:
    readings, bench = taken(topic, body)

    assert [(state.device, state.online) for state in bench.store.states] == [(device, online)]
    assert (readings, bench.reasons) == ([], [])


async def test_a_statestreams_unit_is_remembered() -> None:
    _, bench = taken("statestream/sensor/pump/unit_of_measurement", '"°C"')

    assert told(taken("statestream/sensor/pump/state", "21.5", bench)[0]) == {"state": "21.5 Cel"}


@pytest.mark.parametrize(
    ("kind", "part", "word", "value"),
    [
        ("climate", "target_temperature_low", "19.0", 19.0),
        ("climate", "current_humidity", "40", 40.0),
        ("climate", "preset", "2", "2"),
        ("climate", "fan_mode", "auto", "auto"),
        ("cover", "tilt", "30", 30.0),
        ("fan", "speed_level", "3", 3.0),
        ("fan", "oscillation", "oscillate_on", "oscillate_on"),
        ("fan", "direction", "forward", "forward"),
        ("valve", "position", "100", 100.0),
    ],
)
async def test_numbers_below_thermostats_covers_fans_and_valves_are_numbers(
    kind: str, part: str, word: str, value: object
) -> None:
    readings, _ = taken(f"living/{kind}/x/{part}/state", word)

    assert [reading.value for reading in readings] == [value]


@pytest.mark.parametrize(
    ("rx", "expected"),
    [
        ({"rssi": -57}, {"lorawan.rssi": -57.0}),
        ({"loRaSNR": 0, "rssi": -57}, {"lorawan.rssi": -57.0, "lorawan.snr": 0.0}),
        ({}, {}),
        ({"snr": 5, "rssi": -57}, {"lorawan.rssi": -57.0}),
    ],
)
async def test_what_version_3_leaves_out_is_absent(rx: dict[str, float], expected: dict[str, float]) -> None:
    topic = "application/7/device/0102030405060708/event/up"
    readings, _ = taken(topic, {"devEUI": "AQIDBAUGBwg=", "rxInfo": [rx], "fPort": 5, "data": "AQ=="})

    assert {reading.metric: reading.value for reading in readings} == expected


async def test_fsk_has_no_signal_to_noise_ratio() -> None:
    event = {"deviceInfo": {}, "rxInfo": [{"rssi": -57}], "txInfo": {"modulation": {"fsk": {}}}}
    chirpstack, _ = taken("application/7/device/0102030405060708/event/up", event)
    uplink = {"rx_metadata": [{"rssi": -57}], "settings": {"data_rate": {"fsk": {"bit_rate": 50000}}}}
    ttn, _ = taken("v3/app/devices/dev1/up", {"uplink_message": uplink})

    assert [reading.metric for reading in (*chirpstack, *ttn)] == ["lorawan.rssi", "lorawan.rssi"]


@pytest.mark.parametrize(
    ("route", "topic", "body", "device", "metric"),
    [
        (
            RouteSettings(filter="+/events/rpc", decoder="shelly"),
            "p/events/rpc",
            '{"method":"NotifyStatus","params":{"switch:0":{"apower":1}}}',
            "p",
            "switch:0.apower",
        ),
        (RouteSettings(filter="+/sensor/+/state", decoder="esphome"), "n/sensor/t/state", "21.5", "n", "sensor.t"),
        (
            RouteSettings(filter="v3/+/devices/+/up", device_level=3, decoder="ttn"),
            "v3/a/devices/d/up",
            '{"uplink_message":{"decoded_payload":{"t":1}}}',
            "d",
            "t",
        ),
        (
            RouteSettings(filter="v3/+/devices/+/+", device_level=(1, 3), decoder="ttn"),
            "v3/a/devices/d/up",
            '{"uplink_message":{"decoded_payload":{"t":1}}}',
            "a.d",
            "t",
        ),
        (
            RouteSettings(filter="zigbee2mqtt/+", decoder="zigbee2mqtt"),
            "zigbee2mqtt/lamp",
            '{"brightness":1}',
            "lamp",
            "brightness",
        ),
        (
            RouteSettings(filter="ha/+/+/+", device_level=(1, 2), decoder="statestream"),
            "ha/sensor/pump/state",
            "1",
            "sensor.pump",
            "state",
        ),
        (
            RouteSettings(filter="plant/+/+/+", device_level=1, metric_level="rest", decoder="content"),
            "plant/p/a/b",
            "1",
            "p",
            "a.b",
        ),
        (RouteSettings(filter="plant/+/+/+", device_level=1, metric_level=(3, 2)), "plant/p/a/b", "1", "p", "b.a"),
        (RouteSettings(filter="plant/+/#", metric_level=()), "plant/p/a/b", '{"t":1}', "p", "t"),
        (RouteSettings(filter="plant/#", device="p"), "plant/a/b", '{"t":1}', "p", "a.b.t"),
        (RouteSettings(filter="plant/#", device_level=2), "plant/a/b/c", '{"t":1}', "b", "a.c.t"),
        (RouteSettings(filter="plant/#"), "plant/a/b", '{"t":1}', "plant/a/b", "t"),
        (RouteSettings(filter="plant/+/#", decoder="cbor"), "plant/p/a", b"\xa1aa\x01", "p", "a.a"),
        (RouteSettings(filter="plant/+/#", decoder="senml"), "plant/p/a", '[{"n":"t","v":1}]', "p", "a.t"),
        (RouteSettings(filter="plant/+/#", decoder="influx"), "plant/p/a", "m f=1", "p", "a.m.f"),
    ],
)
async def test_a_route_says_what_the_levels_of_a_topic_are(
    route: RouteSettings, topic: str, body: str | bytes, device: str, metric: str
) -> None:
    readings, bench = taken(topic, body, Bench(routes=[route]))

    assert bench.reasons == []
    assert (device, metric) in {(reading.device, reading.metric) for reading in readings}


NEW = ("aws_shadow", "meshtastic", "owntracks", "p1", "rtl433", "ruuvi", "shelly1", "statestream", "theengs")
KEYS = (
    "_type",
    "lat",
    "tst",
    "id",
    "tempc",
    "encr",
    "data",
    "ts",
    "model",
    "channel",
    "time",
    "from",
    "type",
    "payload",
    "state",
)


@pytest.mark.parametrize("name", NEW)
@given(document=documents(*KEYS, "reported", "rssi", "timestamp", "desired"))
def test_nothing_but_payload_errors_escapes_from_any_document(name: str, document: object) -> None:
    from hub.telemetry.origin import Origin

    origins = [
        Origin("x/y", "x", rest=rest, arrays=True, numbers_in_text=True)
        for rest in ("events", "state", "json/c/!1", "BTtoMQTT/x", "devices/a/b", "relay/0", "update", "json", "")
    ]
    survive(DECODERS[name].make(), json.dumps(document).encode(), origins)


@pytest.mark.parametrize(("topic", "body"), [(row[0], row[1]) for row in GIVEN], ids=[row[0] for row in GIVEN])
async def test_a_cut_message_costs_nothing_but_itself(topic: str, body: object) -> None:
    bench = Bench()
    for part in cut(body if isinstance(body, str) else json.dumps(body)):
        bench.accept(part, topic)

    assert "decoder_defect" not in bench.reasons


@given(st.binary(max_size=40))
def test_any_advertisement_of_a_tag_is_survived(data: bytes) -> None:
    from hub.telemetry.decoders.ruuvi import _advertised

    dict(_advertised((b"\xff\x99\x04\x05" + data).hex()))
    dict(_advertised((b"\xff\x99\x04\x03" + data).hex()))


def test_every_envelope_has_one_of_the_keys_that_are_looked_for_first() -> None:
    from hub.telemetry.decoders import envelopes

    assert all(not keys.isdisjoint(envelopes._MARKS) for keys, _ in envelopes.OPENERS)
