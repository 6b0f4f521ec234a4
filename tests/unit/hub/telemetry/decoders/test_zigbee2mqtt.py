"""Zigbee2MQTT: the handbook's literals (device-formats section 8), its traps, and anything else."""

import json

import pytest
from hypothesis import given

from hub.telemetry.clock import from_text
from hub.telemetry.decoders.zigbee2mqtt import MAX_BASES, Zigbee2Mqtt
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from hub.telemetry.routes import RouteSettings
from tests.support.telemetry import NOW_US, Bench
from tests.unit.hub.telemetry.decoders.fuzz import cut, documents, survive

CLIMATE = '{"temperature":27.34,"humidity":44.72}'
LAMP = '{"state":"ON","brightness":215,"color_temp":325}'
SEEN = '{"state":"ON","linkquality":102,"last_seen":"2019-12-14T15:38:56.796Z"}'
DEVICES = json.dumps(
    [
        {
            "ieee_address": "0x1",
            "friendly_name": "living/climate",
            "definition": {
                "exposes": [
                    {"type": "numeric", "property": "temperature", "unit": "°C", "access": 1},
                    {"type": "numeric", "property": "humidity", "unit": "%", "access": 1},
                    {"type": "numeric", "property": "battery", "unit": "%", "access": 1},
                ]
            },
        },
        {
            "friendly_name": "my_bulb",
            "definition": {
                "exposes": [
                    {
                        "type": "light",
                        "features": [
                            {"type": "binary", "property": "state", "value_on": "ON", "value_off": "OFF", "access": 7},
                            {"type": "numeric", "property": "brightness", "access": 7},
                        ],
                    }
                ]
            },
        },
        {
            "friendly_name": "door",
            "definition": {
                "exposes": [{"type": "binary", "property": "contact", "value_on": False, "value_off": True}]
            },
        },
        {"friendly_name": "odd/set", "definition": None},
    ]
)


@pytest.mark.parametrize(
    ("rest", "body", "expected"),
    [
        ("living/climate", CLIMATE, [("temperature", 27.34, ""), ("humidity", 44.72, "")]),
        ("lamp", LAMP, [("state", True, ""), ("brightness", 215.0, ""), ("color_temp", 325.0, "mired")]),
        ("0x00124b0006227235", SEEN, [("state", True, ""), ("linkquality", 102.0, "")]),
        ("button", '{"action":"single"}', [("action", "single", "")]),
        ("button", '{"action":""}', []),
        (
            "lamp",
            '{"color":{"x":0.3,"y":0},"update":{"state":"idle"},"elapsed":5}',
            [("color.x", 0.3, ""), ("color.y", 0.0, "")],
        ),
        ("lamp", '{"update_available":false,"device":{"model":"x"},"a":null}', []),
        ("lamp/set", '{"state":"OFF"}', []),
        ("lamp/set/state", "OFF", []),
        ("a/b/get", '{"state":""}', []),
        ("bridge/logging", '{"level":"info","message":"x"}', []),
        ("bridge/request/permit_join", '{"value":true}', []),
        ("bridge/response/permit_join", '{"status":"ok"}', []),
        ("bridge/info", '{"version":"2.0"}', []),
        ("bridge/groups", "[]", []),
        ("bridge/event", '{"type":"x"}', []),
    ],
)
async def test_a_literal_gives_its_readings(rest: str, body: str, expected: list[tuple[str, float | str, str]]) -> None:
    bench = Bench()

    bench.accept(body, f"zigbee2mqtt/{rest}")

    assert bench.reasons == []
    assert [(one.metric, one.value, one.unit) for one in bench.store.readings] == expected
    assert {one.device for one in bench.store.readings} <= {rest}


@pytest.mark.parametrize(
    ("stated", "time"),
    [
        ("2019-12-14T15:38:56.796Z", "2019-12-14T15:38:56.796Z"),
        ("2019-12-14T16:38:56.796+01:00", "2019-12-14T15:38:56.796Z"),
        ("2019-12-14T16:38:56.796", "2019-12-14T15:38:56.796Z"),
        (1576337936796, "2019-12-14T15:38:56.796Z"),
        (None, ""),
    ],
)
async def test_last_seen_is_the_time_in_each_of_its_forms(stated: object, time: str) -> None:
    bench = Bench(routes=[RouteSettings(filter="zigbee2mqtt/#", decoder="zigbee2mqtt", zone="Europe/Berlin")])

    bench.accept(json.dumps({"a": 1, "last_seen": stated}), "zigbee2mqtt/lamp")

    assert [one.time_us for one in bench.store.readings] == [from_text(time) or NOW_US]


async def test_the_device_list_gives_units_types_and_names_with_slashes() -> None:
    bench = Bench()
    bench.accept(DEVICES, "zigbee2mqtt/bridge/devices", retained=True)

    bench.accept('{"temperature":27.34,"humidity":44.72,"battery":"100.00"}', "zigbee2mqtt/living/climate")
    bench.accept('{"contact":false}', "zigbee2mqtt/door")
    bench.accept("ON", "zigbee2mqtt/my_bulb/state")
    bench.accept("215", "zigbee2mqtt/my_bulb/brightness")
    bench.accept("20.5", "zigbee2mqtt/living/climate/temperature")
    bench.accept('{"a":1}', "zigbee2mqtt/odd/set")

    assert bench.reasons == []
    assert [one[:2] + one[3:] for one in bench.store.readings] == [
        ("living/climate", "temperature", 27.34, "Cel"),
        ("living/climate", "humidity", 44.72, "%RH"),
        ("living/climate", "battery", 100.0, "%EL"),
        ("door", "contact", True, ""),
        ("my_bulb", "state", True, ""),
        ("my_bulb", "brightness", 215.0, ""),
        ("living/climate", "temperature", 20.5, "Cel"),
        ("odd/set", "a", 1.0, ""),
    ]


async def test_an_attribute_of_a_device_that_no_list_names_is_refused() -> None:
    bench = Bench()

    bench.accept("ON", "zigbee2mqtt/my_bulb/state")

    assert len(bench.reasons) == 1


@pytest.mark.parametrize("word", ["online", "offline"])
async def test_availability_is_presence_in_both_forms(word: str) -> None:
    for body in (word, json.dumps({"state": word})):
        bench = Bench()
        bench.accept(body, "zigbee2mqtt/living/climate/availability", retained=True)
        bench.accept(body, "zigbee2mqtt/bridge/state", retained=True)

        assert [(one.device, one.online) for one in bench.store.states] == [
            ("living/climate", word == "online"),
            ("zigbee2mqtt/bridge", word == "online"),
        ]
        assert bench.store.readings == []


def test_only_so_many_lists_are_remembered() -> None:
    decode = Zigbee2Mqtt()
    for base in range(MAX_BASES):
        decode(b"[]", Origin(f"z{base}/bridge/devices", "d", rest="bridge/devices"), NOW_US, Notes())
    notes = Notes()

    decode(b"[]", Origin("more/bridge/devices", "d", rest="bridge/devices"), NOW_US, notes)
    assert [reason for reason, _ in notes.faults] == ["too_many_metrics"]

    with pytest.raises(PayloadError):
        decode(b"[[", Origin("z0/bridge/devices", "d", rest="bridge/devices"), NOW_US, Notes())


RESTS = ("living/climate", "bridge/devices", "bridge/state", "x/availability", "my_bulb/state")
ORIGINS = tuple(Origin(f"zigbee2mqtt/{rest}", "d", rest=rest) for rest in RESTS)


@pytest.mark.parametrize("literal", [CLIMATE, LAMP, SEEN, DEVICES])
def test_a_literal_may_end_anywhere(literal: str) -> None:
    for body in cut(literal):
        survive(Zigbee2Mqtt(), body, ORIGINS)


@given(
    documents("state", "last_seen", "color", "a"),
    documents("friendly_name", "definition", "exposes", "features", "unit"),
)
def test_any_document_is_decoded_or_refused(state: object, devices: object) -> None:
    decode = Zigbee2Mqtt()
    for body in (DEVICES.encode(), json.dumps([devices]).encode(), json.dumps(state).encode()):
        survive(decode, body, ORIGINS)
    survive(decode, json.dumps([{"friendly_name": "x", "definition": {"exposes": devices}}]).encode(), ORIGINS)
