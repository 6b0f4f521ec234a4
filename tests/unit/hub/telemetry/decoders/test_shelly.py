"""Shelly: the handbook's literals (device-formats section 7), its traps, and anything else."""

import json

import pytest
from hypothesis import given

from hub.telemetry.clock import from_text
from hub.telemetry.decoders.shelly import ALIVE_US, Shelly
from hub.telemetry.origin import Origin
from tests.support.telemetry import NOW_US, Bench
from tests.unit.hub.telemetry.decoders.fuzz import cut, documents, survive

ENERGY = (
    '{"src":"shelly1pmmini-6055f999fdac","dst":"/shelly02/events","method":"NotifyStatus","params":{"ts":1715945460.30,'
    '"switch:0":{"id":0,"aenergy":{"by_minute":[0.000,0.000,0.000],"minute_ts":1715945459,"total":1242.654}}}}'
)
VOLTAGE = (
    '{"src":"shellyplus1pm-4417939341dc","dst":"shellies/plus1pm/events","method":"NotifyStatus",'
    '"params":{"ts":1661517385.44,"switch:0":{"id":0,"voltage":232.7}}}'
)
STATUS = (
    '{"id":0,"source":"init","output":false,"apower":0.0,"voltage":232.7,"current":0.000,'
    '"aenergy":{"total":0.000,"by_minute":[0.000,0.000,0.000],"minute_ts":1661517360}}'
)
SMOKE = (
    '{"src":"shellyplussmoke-80646fd09ed4","method":"NotifyFullStatus","params":{"ts":1.33,"ble":{},"cloud":{},'
    '"devicepower:0":{"id":0,"battery":{"V":2.99,"percent":97}},"smoke:0":{"id":0,"alarm":false,"mute":false},'
    '"sys":{"uptime":1,"unixtime":null,"wakeup_period":86400}}}'
)


def event(**components: object) -> str:
    params = {"ts": 1661517385.44} | {name.replace("_", ":"): value for name, value in components.items()}
    return json.dumps({"src": "p", "method": "NotifyStatus", "params": params})


@pytest.mark.parametrize(
    ("topic", "body", "device", "time", "expected"),
    [
        (
            "/shelly02/events/rpc",
            ENERGY,
            "/shelly02",
            "2024-05-17T11:31:00.300Z",
            [("switch:0.aenergy.total", 1242.654, "Wh")],
        ),
        (
            "shellies/plus1pm/events/rpc",
            VOLTAGE,
            "shellies/plus1pm",
            "2022-08-26T12:36:25.440Z",
            [("switch:0.voltage", 232.7, "V")],
        ),
        (
            "p/status/switch:0",
            STATUS,
            "p",
            "",
            [
                ("switch:0.output", False, ""),
                ("switch:0.apower", 0.0, "W"),
                ("switch:0.voltage", 232.7, "V"),
                ("switch:0.current", 0.0, "A"),
                ("switch:0.aenergy.total", 0.0, "Wh"),
            ],
        ),
        (
            "smoke/events/rpc",
            SMOKE,
            "smoke",
            "",
            [
                ("devicepower:0.battery.V", 2.99, "V"),
                ("devicepower:0.battery.percent", 97.0, "%EL"),
                ("smoke:0.alarm", False, ""),
                ("smoke:0.mute", False, ""),
            ],
        ),
    ],
)
async def test_a_literal_gives_its_readings(
    topic: str, body: str, device: str, time: str, expected: list[tuple[str, float | str, str]]
) -> None:
    bench = Bench()

    bench.accept(body, topic)

    assert bench.reasons == []
    assert [(one.metric, one.value, one.unit) for one in bench.store.readings] == expected
    assert {(one.device, one.time_us) for one in bench.store.readings} == {(device, from_text(time) or NOW_US)}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (event(temperature_0={"id": 0, "tC": 21.5, "tF": 70.7}), [("temperature:0.tC", 21.5, "Cel")]),
        (event(switch_0={"temperature": {"tC": 40, "tF": 104}}), [("switch:0.temperature.tC", 40.0, "Cel")]),
        (
            event(
                em_0={"a_act_power": 1, "b_voltage": 2, "n_current": None, "a_aprt_power": 3, "a_pf": 0.5, "a_freq": 50}
            ),
            [
                ("em:0.a_act_power", 1.0, "W"),
                ("em:0.b_voltage", 2.0, "V"),
                ("em:0.a_aprt_power", 3.0, "VA"),
                ("em:0.a_pf", 0.5, ""),
                ("em:0.a_freq", 50.0, "Hz"),
            ],
        ),
        (event(emdata_0={"a_total_act_energy": 7}), [("emdata:0.a_total_act_energy", 7.0, "Wh")]),
        (
            event(input_0={"counts": {"total": 3}, "percent": 5}),
            [("input:0.counts.total", 3.0, ""), ("input:0.percent", 5.0, "")],
        ),
        (event(wifi={"rssi": -50}, sys={"uptime": 5}, script_1={"mem_used": 1}), []),
        (event(switch_0={"errors": ["overtemp"]}), []),
        (
            '{"method":"NotifyEvent","params":{"ts":1661517385.44,"events":[{"component":"input:0","event":"btn_down"}]}}',
            [],
        ),
    ],
)
async def test_a_trap_is_known(body: str, expected: list[tuple[str, float | str, str]]) -> None:
    bench = Bench()

    bench.accept(body, "p/events/rpc")

    assert bench.reasons == []
    assert [(one.metric, one.value, one.unit) for one in bench.store.readings] == expected


async def test_status_is_left_out_while_events_come_for_the_prefix() -> None:
    bench = Bench()
    bench.accept(VOLTAGE, "p/events/rpc")

    bench.accept(STATUS, "p/status/switch:0")
    assert len(bench.store.readings) == 1

    bench.accept(STATUS, "other/status/switch:0")
    assert len(bench.store.readings) == 6

    bench.accept(STATUS, "p/status/switch:0", now_us=NOW_US + ALIVE_US)
    assert len(bench.store.readings) == 11


async def test_online_is_presence() -> None:
    bench = Bench()

    bench.accept("true", "home/kitchen/online")
    bench.accept("false", "home/kitchen/online", retained=True)
    bench.accept("maybe", "home/kitchen/online")

    assert [(one.device, one.online) for one in bench.store.states] == [("home/kitchen", True), ("home/kitchen", False)]
    assert bench.reasons == ["bad_state"]


ORIGINS = tuple(Origin("t", "p", rest=rest) for rest in ("events/rpc", "status/switch:0", "online"))


@pytest.mark.parametrize("literal", [ENERGY, VOLTAGE, STATUS, SMOKE])
def test_a_literal_may_end_anywhere(literal: str) -> None:
    for body in cut(literal):
        survive(Shelly(), body, ORIGINS)


@given(documents("method", "params", "ts", "switch:0", "aenergy", "total", "id"))
def test_any_document_is_decoded_or_refused(document: object) -> None:
    survive(Shelly(), json.dumps(document).encode(), ORIGINS)
    survive(Shelly(), json.dumps({"method": "NotifyStatus", "params": document}).encode(), ORIGINS)
