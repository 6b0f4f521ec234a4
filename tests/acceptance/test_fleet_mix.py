"""Every format that fleets send, at once, through a real broker, bridge, hub and Postgres, against the table below.

The payloads are those of the formats' own documentation. Times without a zone are UTC; `None` is the time of receipt.
"""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from hub.processes import child_process
from hub.processes.supervisor import Supervisor
from tests.support.mosquitto import Mosquitto
from tests.support.ports import free_port
from tests.support.waiting import wait_for

DEADLINE_S = 30.0
Value = float | bool | str
_STORED = """
    SELECT devices.name, metric, ts, value::text, kind, unit FROM series JOIN devices ON devices.id = device_id
      JOIN (SELECT series_id, ts, value::text FROM readings UNION ALL SELECT series_id, ts, value FROM readings_text) AS rows
        ON series_id = series.id
"""


class Sent(NamedTuple):
    """A message, and what must be stored from it: (device, metric, time, value, unit)."""

    topic: str
    payload: bytes
    stored: list[tuple[str, str, datetime | None, Value, str]]


def at(time: str) -> datetime:
    return datetime.fromisoformat(time).replace(tzinfo=UTC)


TASMOTA = (
    b'{"Time":"2021-06-13T06:59:52","ANALOG":{"CTEnergy":{"Energy":0.006,"Power":2068,"Voltage":230,"Current":8.992}},'
    b'"DHT11":{"Temperature":23.0,"Humidity":37.0,"DewPoint":7.5},"TempUnit":"C"}'
)
SHELLY = (
    b'{"src":"shelly1pmmini-6055f999fdac","dst":"/shelly02/events","method":"NotifyStatus","params":{"ts":1715945460.30,'
    b'"switch:0":{"id":0,"aenergy":{"by_minute":[0.000,0.000,0.000],"minute_ts":1715945459,"total":1242.654}}}}'
)
CHIRPSTACK = (
    b'{"deduplicationId":"3ac7e3c4-4401-4b8d-9386-a5c902f9202d","time":"2022-07-18T09:34:15.775023242+00:00",'
    b'"deviceInfo":{"applicationId":"17c82e96","deviceName":"Test device","devEui":"0101010101010101"},"fPort":1,'
    b'"data":"qg==","object":{"temperature":22.5},"rxInfo":[{"gatewayId":"0016c001f153a14c","rssi":-36,"snr":10.5}]}'
)
TTN = (
    b'{"end_device_ids":{"device_id":"dev1","application_ids":{"application_id":"app1"}},'
    b'"received_at":"2020-02-12T15:15:46.014773143Z","uplink_message":{"f_cnt":1,"f_port":1,"frm_payload":"gkHe",'
    b'"decoded_payload":{"temperature":1.0,"luminosity":0.64},'
    b'"rx_metadata":[{"gateway_ids":{"gateway_id":"gtw1"},"rssi":-35,"snr":5}],"received_at":"2020-02-12T15:15:45.789585559Z"}}'
)
SPARKPLUG_BIRTH = bytes.fromhex(
    "08eaf2f5a8a02b12120a05626453657118eaf2f5a8a02b2008580012210a144e6f646520436f6e74726f6c2f5265626972746818eaf2f5a8a02b"
    "200b700012200a0e537570706c7920566f6c74616765100118eaf2f5a8a02b2009659a9941411800"
)
SPARKPLUG_DEVICE = bytes.fromhex(
    "08eaf2f5a8a02b12380a134f7574646f6f722f54656d7065726174757265100218eaf2f5a8a02b20024a120a07656e67556e69741207080c4203"
    "43656c50f6ff0312170a08496e707574732f41100318eaf2f5a8a02b200b70001801"
)
SENML = (
    b'[{"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,"bu":"A","n":"voltage","u":"V","v":120.1},'
    b'{"n":"current","t":-5,"v":1.2}]'
)
SENML_CBOR = bytes.fromhex(
    "83a521781d75726e3a6465763a6d61633a303032346265666666653830346666312f221a4eaea188006474656d70016343656c02fb40378000000000"
    "00a300656c6576656c016325454c021828a200646f70656e04f4"
)
MIX = [
    Sent(
        "devices/press-7/telemetry",
        b'{"ts":1763654400123,"temperature":21.5,"env":{"ok":true}}',
        [
            ("press-7", "temperature", at("2025-11-20T16:00:00.123"), 21.5, ""),
            ("press-7", "env.ok", at("2025-11-20T16:00:00.123"), True, ""),
        ],
    ),
    Sent(
        "plant/line 1/press",
        b'[{"ts":1451649600512,"values":{"a":1}},{"ts":1451649601512,"values":{"a":2}}]',
        [
            ("plant/line 1/press", "a", at("2016-01-01T12:00:00.512"), 1.0, ""),
            ("plant/line 1/press", "a", at("2016-01-01T12:00:01.512"), 2.0, ""),
        ],
    ),
    Sent("/sonoff03/dht22/temperature", b"25.50", [("/sonoff03/dht22", "temperature", None, 25.5, "")]),
    Sent(
        "sensors/senml",
        SENML,
        [
            ("urn:dev:ow:10e2073a0108006", "voltage", at("2010-06-08T18:01:16.001"), 120.1, "V"),
            ("urn:dev:ow:10e2073a0108006", "current", at("2010-06-08T18:01:11.001"), 1.2, "A"),
        ],
    ),
    Sent(
        "sensors/senml-cbor",
        SENML_CBOR,
        [
            ("urn:dev:mac:0024befffe804ff1", "temp", at("2011-10-31T13:24:24"), 23.5, "Cel"),
            ("urn:dev:mac:0024befffe804ff1", "level", at("2011-10-31T13:24:24"), 40.0, "%EL"),
            ("urn:dev:mac:0024befffe804ff1", "open", at("2011-10-31T13:24:24"), False, ""),
        ],
    ),
    Sent(
        "sensors/cbor",
        bytes.fromhex("a26b74656d7065726174757265f94d606274731a6553f100"),
        [("sensors/cbor", "temperature", at("2023-11-14T22:13:20"), 21.5, "")],
    ),
    Sent(
        "spBv1.0/Sparkplug B Devices/NBIRTH/Raspberry Pi",
        SPARKPLUG_BIRTH,
        [
            ("Sparkplug B Devices/Raspberry Pi", "Supply Voltage", at("2017-02-03T17:55:02.122"), 12.1, ""),
        ],
    ),
    Sent(
        "spBv1.0/Sparkplug B Devices/DBIRTH/Raspberry Pi/Pibrella",
        SPARKPLUG_DEVICE,
        [
            (
                "Sparkplug B Devices/Raspberry Pi/Pibrella",
                "Outdoor/Temperature",
                at("2017-02-03T17:55:02.122"),
                -10.0,
                "Cel",
            ),
            ("Sparkplug B Devices/Raspberry Pi/Pibrella", "Inputs/A", at("2017-02-03T17:55:02.122"), False, ""),
        ],
    ),
    Sent(
        "tele/t1/SENSOR",
        TASMOTA,
        [
            ("t1", "ANALOG.CTEnergy.Energy", at("2021-06-13T06:59:52"), 0.006, "kWh"),
            ("t1", "ANALOG.CTEnergy.Power", at("2021-06-13T06:59:52"), 2068.0, "W"),
            ("t1", "ANALOG.CTEnergy.Voltage", at("2021-06-13T06:59:52"), 230.0, "V"),
            ("t1", "ANALOG.CTEnergy.Current", at("2021-06-13T06:59:52"), 8.992, "A"),
            ("t1", "DHT11.Temperature", at("2021-06-13T06:59:52"), 23.0, "Cel"),
            ("t1", "DHT11.Humidity", at("2021-06-13T06:59:52"), 37.0, "%RH"),
            ("t1", "DHT11.DewPoint", at("2021-06-13T06:59:52"), 7.5, "Cel"),
        ],
    ),
    Sent(
        "/shelly02/events/rpc",
        SHELLY,
        [("/shelly02", "switch:0.aenergy.total", at("2024-05-17T11:31:00.300"), 1242.654, "Wh")],
    ),
    Sent(
        "zigbee2mqtt/0x00124b0006227235",
        b'{"state":"ON","linkquality":102,"last_seen":"2019-12-14T15:38:56.796Z","action":""}',
        [
            ("0x00124b0006227235", "linkquality", at("2019-12-14T15:38:56.796"), 102.0, ""),
            ("0x00124b0006227235", "state", at("2019-12-14T15:38:56.796"), True, ""),
        ],
    ),
    Sent("livingroom/binary_sensor/door/state", b"ON", [("livingroom", "binary_sensor.door", None, True, "")]),
    Sent("homie/super-car/engine/temperature", b"21.5", [("super-car", "engine.temperature", None, 21.5, "")]),
    Sent(
        "application/17c82e96/device/0101010101010101/event/up",
        CHIRPSTACK,
        [
            ("0101010101010101", "temperature", at("2022-07-18T09:34:15.775023"), 22.5, ""),
            ("0101010101010101", "lorawan.rssi", at("2022-07-18T09:34:15.775023"), -36.0, "dBm"),
            ("0101010101010101", "lorawan.snr", at("2022-07-18T09:34:15.775023"), 10.5, "dB"),
        ],
    ),
    Sent(
        "v3/app1@tenant1/devices/dev1/up",
        TTN,
        [
            ("dev1", "temperature", at("2020-02-12T15:15:45.789585"), 1.0, ""),
            ("dev1", "luminosity", at("2020-02-12T15:15:45.789585"), 0.64, ""),
            ("dev1", "lorawan.rssi", at("2020-02-12T15:15:45.789585"), -35.0, "dBm"),
            ("dev1", "lorawan.snr", at("2020-02-12T15:15:45.789585"), 5.0, "dB"),
        ],
    ),
    Sent(
        "telegraf/cpu",
        b"weather,device=roof temperature=82.5,ok=t 1465839830100400200",
        [
            ("roof", "weather.temperature", at("2016-06-13T17:43:50.100400"), 82.5, ""),
            ("roof", "weather.ok", at("2016-06-13T17:43:50.100400"), True, ""),
        ],
    ),
    # Understood, and no reading: states, commands, logs.
    Sent("tele/t1/LWT", b"Online", []),
    Sent("homie/super-car/$state", b"ready", []),
    Sent("zigbee2mqtt/0x00124b0006227235/availability", b'{"state":"offline"}', []),
    Sent("/shelly02/online", b"true", []),
    Sent("livingroom/debug", b"[D][sensor:094]: 'Uptime': Sending state 42", []),
    Sent("cmnd/t1/POWER", b"TOGGLE", []),
    # Refused: quarantined with its reason.
    Sent("devices/press-8/telemetry", b"{'a':1}", []),
    Sent("cameras/door", b"\xff\xd8\xff\xe0\x00\x10JFIF", []),
]
STATES = {"t1": True, "super-car": True, "0x00124b0006227235": False, "/shelly02": True}
QUARANTINE = {("devices/press-8/telemetry", "not_json"), ("cameras/door", "unknown_format")}


def publish_all(port: int) -> None:
    """Publish the mix at QoS 1 and wait for the broker's acknowledgements."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="mix")
    client.max_inflight_messages_set(100)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for message in MIX:
        client.publish(message.topic, message.payload, qos=1).wait_for_publish(DEADLINE_S)
    client.disconnect()
    client.loop_stop()


def rows(database_url: str, sql: str) -> list[tuple[Any, ...]]:
    async def ask() -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(database_url)
        try:
            return [tuple(row) for row in await connection.fetch(sql)]
        finally:
            await connection.close()

    return asyncio.run(ask())


def shown(value: Value) -> str:
    """Write a value as Postgres writes it: truth values rest as 0 and 1."""
    if isinstance(value, str):
        return value
    return f"{float(value):.15g}"


def kind_of(value: Value) -> str:
    return "bool" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"


def test_all_formats_at_once_give_the_readings_of_the_table(tmp_path: Path, database_url: str) -> None:
    tmp_path.chmod(0o755)
    began = datetime.now(UTC)
    with Mosquitto(tmp_path) as broker, Supervisor(tmp_path / "logs") as supervisor:
        command = [child_process.program("telemetry-hub"), "serve", "--port", str(free_port()), "--stomp-port", "0"]
        hub = supervisor.start("hub", [*command, "--database-url", database_url, "--data-dir", str(tmp_path / "hub")])
        hub_url = next(word for word in hub.wait_ready(DEADLINE_S) if word.startswith("ws:"))
        command = [child_process.program("telemetry-bridge"), "run", "--mqtt-url", broker.url, "--hub-url", hub_url]
        supervisor.start("bridge", [*command, "--health-port", "0"]).wait_ready(DEADLINE_S)
        publish_all(broker.port)
        expected = [reading for message in MIX for reading in message.stored]
        wait_for(lambda: len(rows(database_url, _STORED)) >= len(expected), DEADLINE_S)
        wait_for(lambda: len(rows(database_url, "SELECT 1 FROM quarantine")) >= len(QUARANTINE), DEADLINE_S)

    stored = rows(database_url, _STORED)
    assert {
        (device, metric, time, shown(value), kind_of(value), unit) for device, metric, time, value, unit in expected
    } == {
        (device, metric, None if ts >= began else ts, value, kind, unit)
        for device, metric, ts, value, kind, unit in stored
    }
    assert len(stored) == len(expected)
    assert QUARANTINE == set(rows(database_url, "SELECT topic, reason FROM quarantine"))
    states = dict(rows(database_url, "SELECT name, online FROM devices WHERE online IS NOT NULL"))
    assert {name: online for name, online in states.items() if not name.startswith("Sparkplug")} == STATES
