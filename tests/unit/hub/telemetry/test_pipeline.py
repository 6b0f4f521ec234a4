"""From message to store and subscribers."""

import asyncio
import json
import time
import tracemalloc
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.broker.broker import Broker, BrokerLimits
from hub.stomp.dialects import V1_2
from hub.telemetry import last_readings as last_readings_module
from hub.telemetry import pipeline as pipeline_module
from hub.telemetry.audience import Audience
from hub.telemetry.pipeline import Pipeline
from hub.telemetry.routes import DEFAULT_ROUTES, Routes, RouteSettings
from storage.clock import DatabaseClock
from storage.reading import Reading
from storage.settings import StorageSettings
from storage.store import Store
from tests.support.core import server_frames
from tests.support.telemetry import NOW_US, Bench, watch

BODY = '{"ts":1763654400123,"temperature":21.5,"humidity":40}'
READINGS = [
    Reading("press-7", "temperature", 1_763_654_400_123_000, 21.5),
    Reading("press-7", "humidity", 1_763_654_400_123_000, 40.0),
]


async def test_readings_are_written_and_the_stores_future_is_the_answer() -> None:
    bench = Bench()

    future = bench.accept(BODY)

    assert bench.store.readings == READINGS
    assert future is bench.store.futures[0]
    assert bench.pipeline.counters.readings == 2


async def test_a_topic_without_a_route_is_left_alone() -> None:
    bench = Bench("/topic/#")

    assert bench.accept(BODY, topic="chat/room", bridged=False) is None
    assert bench.accept(BODY, topic="chat/room", bridged=False) is None
    assert bench.store.futures == []
    assert bench.pipeline.counters.messages == 0


async def test_a_reading_is_published_only_where_somebody_watches() -> None:
    bench = Bench("/topic/readings/+/humidity")

    bench.accept(BODY)

    assert [destination for destination, _ in bench.broker.published] == ["/topic/readings/press-7/humidity"]
    assert orjson.loads(bench.broker.published[0][1]) == {
        "device": "press-7",
        "metric": "humidity",
        "t": "2025-11-20T16:00:00.123Z",
        "v": 40.0,
    }


async def test_a_reading_behind_the_newest_one_is_marked_late() -> None:
    bench = Bench("/topic/readings/#")

    bench.accept('{"ts":1763654401,"a":1}')
    bench.accept('{"ts":1763654400,"a":2}')

    assert [orjson.loads(body).get("late") for _, body in bench.broker.published] == [None, True]


async def test_numbers_are_handed_on_for_the_dead_band() -> None:
    bench = Bench()
    wire = watch(bench.broker, "/topic/readings/#", headers={"dead-band": "1"})

    for value in (1.5, 1.9, 3):
        bench.accept(f'{{"a":{value},"b":true,"c":"x"}}')

    bench.broker.flush()
    shown = [orjson.loads(frame.body)["v"] for frame in server_frames(wire.data, V1_2)]
    assert shown == [1.5, True, "x", True, "x", 3, True, "x"]


async def test_the_real_store_and_broker_fit(tmp_path: Path) -> None:
    """The store is not started: what it is given waits in memory."""
    flushes: list[int] = []
    broker = Broker(BrokerLimits(), "e", lambda: 0.0, lambda: flushes.append(1), lambda _: None)
    store = Store(StorageSettings(), tmp_path)
    pipeline = Pipeline(Routes(), store, Audience(broker))

    future = pipeline.accept("devices/press-7/telemetry", BODY.encode(), None, NOW_US)

    assert future is not None
    assert not future.done()
    assert store.rows_pending == 2
    assert pipeline.counters.published == 0
    assert flushes == []


async def test_an_undecodable_payload_is_quarantined_and_the_next_one_processed() -> None:
    bench = Bench()

    future = bench.accept(b"\xff{")
    bench.accept(BODY)

    (item,) = bench.store.quarantined
    assert (item.topic, item.payload, item.reason) == ("devices/press-7/telemetry", b"\xff{", "not_utf8")
    assert item.received_us == NOW_US
    assert future is bench.store.futures[0]
    assert bench.store.readings == READINGS
    assert bench.pipeline.counters.refused == {"not_utf8": 1}


@pytest.mark.parametrize("body", [b"\xff{", b'[{"b":2},5]'], ids=["refused whole", "refused in parts"])
async def test_the_quarantine_keeps_what_the_decoding_depended_on(body: bytes) -> None:
    bench = Bench()

    bench.accept(body, content_type="application/json", bridged=True, retained=True)
    bench.accept(body, content_type=None, bridged=False, retained=True)

    kept = [(item.content_type, item.origin, item.retained) for item in bench.store.quarantined]
    assert kept == [("application/json", "bridge", True), (None, "direct", False)], "only a bridge says that it is old"


async def test_the_quarantine_keeps_the_time_of_receipt_though_its_readings_were_set_apart() -> None:
    """Else a retry would store the readings of one series a second time, a µs later."""
    bench = Bench()

    bench.accept('[{"a":1},{"a":2},3]')

    (item,) = bench.store.quarantined
    assert item.received_us == bench.store.readings[0].time_us == NOW_US


async def test_remarks_on_a_refused_message_do_not_stick_to_the_next() -> None:
    bench = Bench()

    bench.accept('[{"a":null},{"name":5,"value":1}]')
    bench.accept(BODY)

    assert bench.reasons == ["bad_metric"]
    assert bench.store.readings == READINGS


async def test_a_time_too_far_ahead_is_quarantined_and_neither_stored_nor_published() -> None:
    bench = Bench("/topic/readings/#")
    ahead_us = NOW_US + 301_000_000

    future = bench.accept(f'[{{"ts":{NOW_US},"a":1}},{{"ts":{ahead_us},"a":2}}]')

    assert [reading.value for reading in bench.store.readings] == [1.0]
    assert len(bench.broker.published) == 1
    assert bench.reasons == ["clock"]
    assert "301 s ahead" in bench.store.quarantined[0].detail
    assert future is bench.store.futures[-1]  # of the quarantine, which comes after the write
    assert len(bench.store.futures) == 2


async def test_a_device_without_a_name_is_quarantined() -> None:
    bench = Bench()

    bench.accept(BODY, topic="devices//telemetry")
    bench.accept(BODY, topic="devices//telemetry")

    assert bench.reasons == ["bad_device", "bad_device"]
    assert bench.store.readings == []


async def test_a_payload_that_holds_nothing_is_answered_at_once() -> None:
    bench = Bench()

    future = bench.accept("{}")

    assert future is not None
    assert future.done()
    assert bench.store.futures == []
    assert bench.pipeline.counters.messages_without_readings == 1


async def test_old_state_without_a_device_time_is_not_stored() -> None:
    bench = Bench("/topic/readings/#")

    future = bench.accept('{"a":1}', retained=True)

    assert future is not None
    assert future.done()
    assert bench.store.readings == []
    assert bench.broker.published == []
    assert bench.pipeline.counters.retained_untimed == 1
    assert bench.pipeline.counters.readings_without_time == 0


async def test_old_state_with_a_device_time_is_stored() -> None:
    bench = Bench()

    bench.accept('[{"ts":1763654400,"a":1},{"a":2}]', retained=True)

    assert bench.store.readings == [Reading("press-7", "a", 1_763_654_400_000_000, 1.0)]


async def test_old_state_with_a_time_relative_to_the_receipt_is_not_stored() -> None:
    bench = Bench("/topic/readings/#")

    bench.accept('[{"n":"a","t":-5,"v":1},{"n":"b","t":1763654400,"v":2},{"n":"c","v":3}]', "a/b", retained=True)

    assert bench.store.readings == [Reading("a/b", "b", 1_763_654_400_000_000, 2.0)]
    assert len(bench.broker.published) == 1
    assert bench.pipeline.counters.retained_untimed == 2


async def test_a_content_type_names_the_decoder_or_is_ignored() -> None:
    bench = Bench()

    for content_type in ("application/json", "application/JSON; charset=utf-8", "text/plain", ""):
        bench.pipeline.accept("devices/press-7/telemetry", BODY.encode(), content_type, NOW_US)

    assert bench.store.readings == READINGS * 4


async def test_a_bare_value_on_a_route_without_device_is_a_series_of_its_own() -> None:
    bench = Bench("/topic/readings/#", routes=[RouteSettings(filter="#")])

    bench.accept("25.5", topic="/sonoff03/dht22/temperature")
    bench.accept("26.5", topic="/sonoff03/dht22/temperature")

    assert bench.store.readings == [
        Reading("/sonoff03/dht22", "temperature", NOW_US, 25.5),
        Reading("/sonoff03/dht22", "temperature", NOW_US + 1, 26.5),
    ]
    assert {destination for destination, _ in bench.broker.published} == {
        "/topic/readings/%2Fsonoff03%2Fdht22/temperature"
    }


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "MAX_PLACES", 10)
    monkeypatch.setattr(last_readings_module, "MAX_SERIES", 15)
    bench = Bench()

    for number in range(100):
        bench.accept(BODY, topic=f"devices/d{number}/telemetry")
        bench.accept(f'{{"m{number}":1}}', topic="devices/d/telemetry")
        direct, bridged = bench.pipeline._places
        assert not direct
        places = bridged
        assert len(places) <= 10
        assert sum(len(place.series) for place in places.values() if place) <= 15

    assert len(bench.store.readings) == 300


@given(st.binary(max_size=60), st.text(max_size=20), st.booleans(), st.none() | st.text(max_size=20))
def test_nothing_escapes(body: bytes, device: str, retained: bool, content_type: str | None) -> None:
    async def accept() -> None:
        bench = Bench(
            "/topic/readings/#", routes=[RouteSettings(filter="devices/+/telemetry"), RouteSettings(filter="#")]
        )
        for payload in (body, BODY.encode(), orjson.dumps({device: 1} if device.isprintable() else {})):
            future = bench.pipeline.accept(f"devices/{device}/telemetry", payload, content_type, NOW_US, retained)
            assert future is not None or device.startswith("$")

    asyncio.run(accept())


BELOW_ONE_LONG_KEY = json.dumps({"k" * 50_000: {f"m{i}": i for i in range(1000)}})


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("a/b", BELOW_ONE_LONG_KEY),
        ("devices/press-7/telemetry", BELOW_ONE_LONG_KEY),
        ("tele/t1/SENSOR", BELOW_ONE_LONG_KEY),
        ("zigbee2mqtt/lamp", BELOW_ONE_LONG_KEY),
        ("shelly-1/status/switch:0", BELOW_ONE_LONG_KEY),
        ("node/sensor/x/state", BELOW_ONE_LONG_KEY),
        ("a/b", json.dumps([{"bn": "k" * 50_000}, *({"n": f"m{i}", "v": i} for i in range(1000))])),
        ("a/b", "m,t=" + "k" * 50_000 + " " + ",".join(f"f{i}=1" for i in range(1000)) + " 1763654400"),
    ],
)
async def test_what_thousands_of_values_share_in_their_names_is_not_copied_for_each(topic: str, body: str) -> None:
    bench = Bench()
    bench.accept('{"a":1}', topic)  # decoders and places exist

    tracemalloc.start()
    bench.accept(body, topic)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert bench.reasons[-1] in {"bad_metric", "senml_name"}
    assert peak < 20_000_000  # 50,000 characters a thousand times are 50 MB; a payload of 1 MiB could make 5 GB
    assert len(bench.store.quarantined[-1].detail) < 10_000


async def test_times_are_judged_by_the_databases_clock_and_a_clock_that_disagrees_is_named() -> None:
    """The hub is a day behind: what is ahead of it is not ahead of the database; readings without a time get its time."""
    bench = Bench()
    clock = DatabaseClock()
    day_us, uptime_us = 86_400_000_000, time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
    clock.note(NOW_US + day_us, uptime_us, uptime_us)
    bench.pipeline = Pipeline(Routes(DEFAULT_ROUTES), bench.store, Audience(bench.broker), clock=clock)

    bench.accept(json.dumps({"ts": (NOW_US + day_us) // 1000, "a": 1}))
    bench.accept('{"b":1}')
    bench.accept(json.dumps({"ts": (NOW_US + 2 * day_us) // 1000, "c": 1}))
    bench.accept('{"time":"1970-01-01T00:00:10Z","d":1}')

    a, b = bench.store.readings
    assert NOW_US + day_us == a.time_us
    assert NOW_US + day_us <= b.time_us < NOW_US + day_us + 10_000_000
    assert ["hub_clock", "clock"] == bench.reasons


async def test_a_unit_that_only_a_retained_message_says_is_recalled_after_a_restart_until_it_is_learnt_again() -> None:
    """Readings keep their series over a restart; a format that says its units itself is taken at its word."""
    bench = Bench()
    for device, metric in (("living", "sensor.temperature"), ("press-7", "temperature")):
        bench.pipeline.last.learn(Reading(device, metric, 1, 20.0, "Cel"))
    discovery = '{"stat_t":"living/sensor/temperature/state","unit_of_meas":"°F"}'

    bench.accept("21.5", "living/sensor/temperature/state")
    bench.accept(discovery, "homeassistant/sensor/living/temperature/config")
    bench.accept("70.7", "living/sensor/temperature/state")
    bench.accept("", "homeassistant/sensor/living/temperature/config")
    bench.accept("70.8", "living/sensor/temperature/state")
    bench.accept('{"temperature":21.5}')

    units = [(reading.device, reading.value, reading.unit) for reading in bench.store.readings]
    assert [("living", 21.5, "Cel"), ("living", 70.7, "degF"), ("living", 70.8, ""), ("press-7", 21.5, "")] == units
