"""Tasmota: the handbook's literals (device-formats section 6), its traps, and anything else."""

import json

import pytest
from hypothesis import given

from hub.telemetry.clock import from_text
from hub.telemetry.decoders import tasmota
from hub.telemetry.origin import Origin
from hub.telemetry.routes import RouteSettings
from storage.reading import Reading
from tests.support.telemetry import NOW_US, Bench
from tests.unit.hub.telemetry.decoders.fuzz import cut, documents, survive

DS18B20 = '{"Time":"2017-02-16T10:13:52","DS18B20":{"Temperature":20.6}}'
ANALOG = (
    '{"Time":"2021-06-13T06:59:52","ANALOG":{"CTEnergy":{"Energy":0.006,"Power":2068,"Voltage":230,"Current":8.992}},'
    '"DHT11":{"Temperature":23.0,"Humidity":37.0,"DewPoint":7.5},"TempUnit":"C"}'
)
ENERGY = (
    '{"Time":"2020-10-03T20:08:17","ENERGY":{"TotalStartTime":"2019-08-04T16:25:03","Total":2674.596,"Yesterday":1.256,'
    '"Today":0.318,"Period":0,"Power":17,"ApparentPower":162,"ReactivePower":161,"Factor":0.10,"Voltage":247,'
    '"Current":0.653}}'
)
STATUS10 = (
    '{"StatusSNS":{"Time":"2022-12-30T14:24:20","ENERGY":{"TotalStartTime":"2020-04-25T06:22:31","Total":263.033,'
    '"Yesterday":0.091,"Today":0.166,"Power":4}}}'
)
STATE = (
    '{"Time":"2024-02-24T22:20:38","Uptime":"0T00:10:11","UptimeSec":611,"Heap":24,"POWER":"OFF",'
    '"Wifi":{"AP":1,"SSId":"12345","RSSI":44,"Signal":-78}}'
)
ZIGBEE = (
    '{"ZbReceived":{"0x057B":{"Device":"0x057B","Name":" motion_sensor","Occupancy":1,"Endpoint":1,"LinkQuality":94}}}'
)
LITERALS = (DS18B20, ANALOG, ENERGY, STATUS10, STATE, ZIGBEE)


@pytest.mark.parametrize(
    ("topic", "body", "expected"),
    [
        ("tele/t1/SENSOR", DS18B20, [("DS18B20.Temperature", 20.6, "")]),
        (
            "tele/t1/SENSOR",
            ANALOG,
            [
                ("ANALOG.CTEnergy.Energy", 0.006, "kWh"),
                ("ANALOG.CTEnergy.Power", 2068.0, "W"),
                ("ANALOG.CTEnergy.Voltage", 230.0, "V"),
                ("ANALOG.CTEnergy.Current", 8.992, "A"),
                ("DHT11.Temperature", 23.0, "Cel"),
                ("DHT11.Humidity", 37.0, "%RH"),
                ("DHT11.DewPoint", 7.5, "Cel"),
            ],
        ),
        (
            "tele/t1/SENSOR",
            ENERGY,
            [
                ("ENERGY.Total", 2674.596, "kWh"),
                ("ENERGY.Yesterday", 1.256, "kWh"),
                ("ENERGY.Today", 0.318, "kWh"),
                ("ENERGY.Period", 0.0, "Wh"),
                ("ENERGY.Power", 17.0, "W"),
                ("ENERGY.ApparentPower", 162.0, "VA"),
                ("ENERGY.ReactivePower", 161.0, "var"),
                ("ENERGY.Factor", 0.1, ""),
                ("ENERGY.Voltage", 247.0, "V"),
                ("ENERGY.Current", 0.653, "A"),
            ],
        ),
        *(
            (
                f"stat/t1/STATUS{number}",
                STATUS10,
                [
                    ("ENERGY.Total", 263.033, "kWh"),
                    ("ENERGY.Yesterday", 0.091, "kWh"),
                    ("ENERGY.Today", 0.166, "kWh"),
                    ("ENERGY.Power", 4.0, "W"),
                ],
            )
            for number in (8, 10)
        ),
        *(
            (
                topic,
                STATE,
                [
                    ("UptimeSec", 611.0, "s"),
                    ("Heap", 24.0, "KiB"),
                    ("POWER", False, ""),
                    ("Wifi.AP", 1.0, ""),
                    ("Wifi.RSSI", 44.0, "/100"),
                    ("Wifi.Signal", -78.0, "dBm"),
                ],
            )
            for topic in ("tele/t1/STATE", "stat/t1/STATE", "t1/tele/STATE")
        ),
        ("stat/t1/RESULT", '{"POWER":"ON"}', [("POWER", True, "")]),
        ("stat/t1/POWER", "ON", []),
        ("tele/t1/POWER_LOW", "ON", [("POWER_LOW", True, "")]),
        ("cmnd/t1/POWER", "TOGGLE", []),
        ("cmnd/t1/POWER", "", []),
        ("cmnd/t1/POWER", "?", []),
        ("stat/t1/STATUS7", '{"StatusTIM":{"UTC":"2024-02-24T22:20:38","Timezone":"+01:00"}}', []),
        ("stat/t1/RESULT", '{"TelePeriod":300}', []),
        ("tele/t1/SENSOR", '{"Time":"2024-02-24T22:20:38"}', []),
    ],
)
async def test_a_literal_gives_its_readings(
    topic: str, body: str, expected: list[tuple[str, float | str, str]]
) -> None:
    bench = Bench()

    bench.accept(body, topic)

    assert bench.reasons == []
    assert [(one.metric, one.value, one.unit) for one in bench.store.readings] == expected
    assert {one.device for one in bench.store.readings} <= {"t1"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"A":{"Temperature":"12.3"},"TempUnit":"F"}', [("A.Temperature", 12.3, "degF")]),
        ('{"ENERGY":{"Power":[10,20]}}', [("ENERGY.Power.0", 10.0, "W"), ("ENERGY.Power.1", 20.0, "W")]),
        ('{"ENERGY":{"Total":{"Phase1":1}}}', [("ENERGY.Total.Phase1", 1.0, "kWh")]),
        (
            '{"ENERGY":{"TotalTariff":[1,2]}}',
            [("ENERGY.TotalTariff.0", 1.0, "kWh"), ("ENERGY.TotalTariff.1", 2.0, "kWh")],
        ),
        ('{"DS18B20-1":{"Id":"0123456789","Temperature":0}}', [("DS18B20-1.Temperature", 0.0, "")]),
        ('{"BMP280":{"Pressure":1000.5},"PressureUnit":"hPa"}', [("BMP280.Pressure", 1000.5, "hPa")]),
        ('{"BMP280":{"Pressure":750},"PressureUnit":"mmHg"}', [("BMP280.Pressure", 750.0, "mmHg")]),
        ('{"PMS5003":{"PM2.5":3}}', [("PMS5003.PM2.5", 3.0, "ug/m3")]),
        ('{"COUNTER":{"Total":3}}', [("COUNTER.Total", 3.0, "")]),
        ('{"Switch1":"ON"}', [("Switch1", True, "")]),
        ('{"PN532":{"UID":"04A1"},"RDM6300":{"UID":"1"}}', []),
        ('{"A":{"Temperature":null}}', []),
    ],
)
async def test_a_trap_is_known(body: str, expected: list[tuple[str, float | str, str]]) -> None:
    bench = Bench()

    bench.accept(body, "tele/t1/SENSOR")

    assert bench.reasons == []
    assert [(one.metric, one.value, one.unit) for one in bench.store.readings] == expected


@pytest.mark.parametrize(
    ("stated", "zone", "time"),
    [
        ("2017-02-16T10:13:52", "UTC", "2017-02-16T10:13:52Z"),
        ("2017-02-16T10:13:52", "Europe/Berlin", "2017-02-16T09:13:52Z"),
        ("2020-03-03T00:00:00+00:00", "Europe/Berlin", "2020-03-03T00:00:00Z"),
        ("2018.02.15 01:00:50", "UTC", "2018-02-15T01:00:50Z"),
        ("2024-10-27T02:30:00", "Europe/Berlin", "2024-10-27T00:30:00Z"),  # comes twice: the first is meant
        ("1970-01-01T00:02:10", "UTC", ""),
    ],
)
async def test_a_time_is_of_the_routes_zone_unless_it_says_one(stated: str, zone: str, time: str) -> None:
    bench = Bench(routes=[RouteSettings(filter="tele/+/+", decoder="tasmota", zone=zone)])

    bench.accept(json.dumps({"Time": stated, "A": {"Heap": 1}}), "tele/t1/SENSOR")

    assert [one.time_us for one in bench.store.readings] == [from_text(time) or NOW_US]


async def test_a_full_topic_in_another_order_needs_a_route_that_names_the_device() -> None:
    bench = Bench(routes=[RouteSettings(filter="tasmota/+/+/tele/+", decoder="tasmota", device_level=2)])

    bench.accept(DS18B20, "tasmota/bedroom/lamp/tele/SENSOR")

    assert [one.device for one in bench.store.readings] == ["lamp"]


async def test_a_gateway_speaks_for_its_devices_where_the_route_allows_it() -> None:
    bench = Bench()
    bench.accept(ZIGBEE, "tele/SonoffZB/SENSOR")

    device = "SonoffZB/0x057B"
    assert bench.store.readings == [
        Reading(device, "Occupancy", NOW_US, 1.0),
        Reading(device, "LinkQuality", NOW_US, 94.0),
    ]

    strict = Bench(routes=[RouteSettings(filter="tele/+/+", decoder="tasmota", gateway=False)])
    strict.accept(ZIGBEE, "tele/SonoffZB/SENSOR")
    assert strict.reasons == ["device_mismatch"]


async def test_the_will_is_presence() -> None:
    bench = Bench()

    bench.accept("Online", "tele/t1/LWT", retained=True)
    bench.accept("Offline", "tele/t1/LWT", retained=True)

    assert [(one.device, one.online, one.state) for one in bench.store.states] == [
        ("t1", True, "Online"),
        ("t1", False, "Offline"),
    ]
    assert bench.store.readings == []


NAMES = ("SENSOR", "STATE", "RESULT", "STATUS10", "LWT")
ORIGINS = tuple(Origin(f"{prefix}/t1/{name}", "t1") for prefix in ("tele", "stat") for name in NAMES)


@pytest.mark.parametrize("literal", LITERALS)
def test_a_literal_may_end_anywhere(literal: str) -> None:
    for body in cut(literal):
        survive(tasmota.decode, body, ORIGINS)


@given(documents("Time", "ENERGY", "ZbReceived", "TempUnit", "Temperature", "Total", "StatusSNS", "StatusSTS", "POWER"))
def test_any_document_is_decoded_or_refused(document: object) -> None:
    survive(tasmota.decode, json.dumps(document).encode(), ORIGINS)
