"""ESPHome and Home Assistant discovery: the handbook's literals (device-formats section 9), traps, and anything else."""

import json

import pytest
from hypothesis import given

from hub.telemetry.decoders.esphome import MAX_DISCOVERIES_OF_A_TOPIC, EspHome
from hub.telemetry.decoders.memory import QUIET_US
from hub.telemetry.notes import Notes
from hub.telemetry.origin import Origin
from hub.telemetry.routes import RouteSettings
from tests.support.telemetry import NOW_US, Bench
from tests.unit.hub.telemetry.decoders.fuzz import cut, documents, survive

LIGHT = '{"state":"ON","brightness":128}'
LONG = '{"state_topic":"livingroom/sensor/uptime/state","unit_of_measurement":"s","value_template":"{{ value }}"}'
SHORT = '{"~":"livingroom/sensor/uptime","stat_t":"~/state","unit_of_meas":"s"}'
DEBUG = "\x1b[0;36m[D][sensor:094]: 'Uptime': Sending state 42.00000 s with 0 decimals of accuracy\x1b[0m"
CONFIG = "homeassistant/sensor/livingroom/uptime/config"


@pytest.mark.parametrize(
    ("rest", "body", "expected"),
    [
        ("sensor/uptime/state", "42.0", [("sensor.uptime", 42.0)]),
        ("sensor/zero/state", "0", [("sensor.zero", 0.0)]),
        ("binary_sensor/door/state", "ON", [("binary_sensor.door", True)]),
        ("switch/relay/state", "OFF", [("switch.relay", False)]),
        ("fan/f/state", "ON", [("fan.f", True)]),
        ("sensor/dht_t/state", "nan", []),
        ("sensor/dht_t/state", "None", []),
        ("text_sensor/ip/state", "192.168.1.7", [("text_sensor.ip", "192.168.1.7")]),
        ("text_sensor/serial/state", "007", [("text_sensor.serial", "007")]),
        ("cover/c/state", "open", [("cover.c", "open")]),
        ("lock/l/state", "LOCKED", [("lock.l", "LOCKED")]),
        ("select/s/state", "1", [("select.s", "1")]),
        ("light/lamp/state", LIGHT, [("light.lamp.state", True), ("light.lamp.brightness", 128.0)]),
        ("switch/relay/command", "ON", []),
        ("debug", DEBUG, []),
    ],
)
async def test_a_literal_gives_its_readings(rest: str, body: str, expected: list[tuple[str, float | str]]) -> None:
    bench = Bench()

    bench.accept(body, f"livingroom/{rest}")

    assert bench.reasons == []
    assert [(one.metric, one.value) for one in bench.store.readings] == expected
    assert {(one.device, one.time_us) for one in bench.store.readings} <= {("livingroom", NOW_US)}


@pytest.mark.parametrize("discovery", [LONG, SHORT])
async def test_discovery_gives_the_unit_until_it_is_deleted(discovery: str) -> None:
    bench = Bench()

    bench.accept(discovery, CONFIG, retained=True)
    bench.accept("42.0", "livingroom/sensor/uptime/state")
    bench.accept("", CONFIG, retained=True)
    bench.accept("43.0", "livingroom/sensor/uptime/state")

    assert bench.reasons == []
    assert [(one.value, one.unit) for one in bench.store.readings] == [(42.0, "s"), (43.0, "")]


@pytest.mark.parametrize(
    ("template", "unit"),
    [
        ("{{ value_json.brightness }}", "lx"),
        ("{{value_json.brightness}}", "lx"),
        ("{{ value_json.brightness|int }}", ""),
    ],
)
async def test_only_literal_templates_are_understood(template: str, unit: str) -> None:
    bench = Bench()
    discovery = {"stat_t": "l/light/lamp/state", "unit_of_meas": "lx", "val_tpl": template}
    bench.accept(json.dumps(discovery), "homeassistant/light/l/config")

    bench.accept(LIGHT, "l/light/lamp/state")

    assert {one.metric: one.unit for one in bench.store.readings}["light.lamp.brightness"] == unit


@pytest.mark.parametrize("routes", [[], [RouteSettings(filter="+/#", decoder="esphome")]])
async def test_status_is_presence(routes: list[RouteSettings]) -> None:
    bench = Bench(routes=routes)

    bench.accept("online", "livingroom/status", retained=True)
    bench.accept("offline", "livingroom/status", retained=True)

    assert [(one.device, one.online) for one in bench.store.states] == [("livingroom", True), ("livingroom", False)]
    assert bench.store.readings == []


def test_what_is_remembered_is_bounded_and_nobody_is_pushed_out() -> None:
    decode = EspHome(max_topics=1)
    first, second = Notes(), Notes()
    decode(LONG.encode(), Origin(CONFIG, CONFIG, device_in_route=False, rest=CONFIG), NOW_US, first)
    other = "homeassistant/sensor/other/config"

    decode(LONG.encode(), Origin(other, other, device_in_route=False, rest=other), NOW_US, second)

    assert first.faults == []
    assert [reason for reason, _ in second.faults] == ["too_many_metrics"]
    topic = "livingroom/sensor/uptime/state"
    (reading,) = decode(b"1", Origin(topic, "livingroom", rest="sensor/uptime/state"), NOW_US, Notes())
    assert reading.unit == "s"


def test_discoveries_of_one_state_topic_are_bounded_since_each_message_there_looks_at_all() -> None:
    decode = EspHome()

    def announce(node: int) -> list[str]:
        topic, notes = f"homeassistant/sensor/{node}/x/config", Notes()
        body = json.dumps(
            {"stat_t": "l/light/x/state", "unit_of_meas": "s", "val_tpl": f"{{{{ value_json.k{node} }}}}"}
        )
        decode(body.encode(), Origin(topic, topic, device_in_route=False, rest=topic), NOW_US, notes)
        return [reason for reason, _ in notes.faults]

    assert [announce(node) for node in range(MAX_DISCOVERIES_OF_A_TOPIC)] == [[]] * MAX_DISCOVERIES_OF_A_TOPIC
    assert announce(MAX_DISCOVERIES_OF_A_TOPIC) == ["too_many_metrics"]
    assert announce(0) == []


def test_made_up_nodes_do_not_hold_the_room_for_ever_and_one_at_work_keeps_its_place() -> None:
    decode = EspHome(max_topics=10)

    def announce(node: str, now_us: int) -> list[str]:
        topic, notes = f"homeassistant/sensor/{node}/x/config", Notes()
        body = json.dumps({"stat_t": f"{node}/sensor/x/state", "unit_of_meas": "s"}).encode()
        decode(body, Origin(topic, topic, device_in_route=False, rest=topic), now_us, notes)
        return [reason for reason, _ in notes.faults]

    def unit(node: str, now_us: int) -> str:
        rest = "sensor/x/state"
        (reading,) = decode(b"1", Origin(f"{node}/{rest}", node, rest=rest), now_us, Notes())
        return reading.unit

    announce("at-work", NOW_US)
    assert unit("at-work", NOW_US) == "s"
    for number in range(20):
        announce(f"made-up-{number}", NOW_US)
    assert announce("new", NOW_US + QUIET_US - 1) == ["too_many_metrics"]
    assert announce("new", NOW_US + QUIET_US) == []
    assert (unit("new", NOW_US + QUIET_US), unit("at-work", NOW_US + QUIET_US)) == ("s", "s")
    for number in range(20):
        announce(f"more-{number}", NOW_US + 2 * QUIET_US)
    assert (unit("new", NOW_US + 2 * QUIET_US), unit("at-work", NOW_US + 2 * QUIET_US)) == ("s", "s")


RESTS = ("sensor/uptime/state", "light/l/state", "switch/s/state", "status", "a/b/config")
ORIGINS = tuple(Origin(f"livingroom/{rest}", "livingroom", rest=rest) for rest in RESTS)


@pytest.mark.parametrize("literal", [LIGHT, LONG, SHORT, DEBUG, "192.168.1.7", "42.0", "1e999", "9" * 400])
def test_a_literal_may_end_anywhere(literal: str) -> None:
    for body in (*cut(literal), literal.encode(), b"\xff"):
        survive(EspHome(), body, ORIGINS)


@given(documents("state", "brightness", "stat_t", "state_topic", "unit_of_meas", "val_tpl", "~"))
def test_any_document_is_decoded_or_refused(document: object) -> None:
    survive(EspHome(), json.dumps(document).encode(), ORIGINS)
