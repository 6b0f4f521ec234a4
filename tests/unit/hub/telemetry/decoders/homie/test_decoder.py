"""Homie through the pipeline: the tables of device-formats section 10, its traps, and what must not happen."""

import contextlib

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.telemetry.decoders.homie import Homie
from hub.telemetry.decoders.homie.decoder import MAX_LOST
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from hub.telemetry.routes import RouteSettings
from storage.device_state import DeviceState
from storage.reading import Reading
from tests.support.telemetry import NOW_US, Bench

CAR = "homie/super-car"
CAR_5 = "homie/5/super-car"
DESCRIPTION = (
    '{"homie":"5.0","version":1,"nodes":{"engine":{"properties":{"temperature":{"datatype":"float","unit":"°C"}}}}}'
)


def publish(bench: Bench, *messages: tuple[str, str | bytes]) -> None:
    for topic, body in messages:
        bench.accept(body, topic)


def skipped(bench: Bench) -> dict[str, int]:
    return bench.pipeline.counters.skipped


async def test_a_property_is_a_reading_with_the_unit_of_its_attribute() -> None:
    bench = Bench()

    publish(
        bench,
        (f"{CAR}/engine/temperature/$unit", "°C"),
        (f"{CAR}/engine/temperature/$datatype", "float"),
        (f"{CAR}/engine/temperature/$format", "0:100"),
        (f"{CAR}/engine/temperature/$settable", "false"),
        (f"{CAR}/engine/temperature/$retained", "true"),
        (f"{CAR}/engine/temperature", "21.5"),
    )

    assert [Reading("super-car", "engine.temperature", NOW_US + 5, 21.5, "Cel")] == bench.store.readings
    assert {"metadata": 5} == skipped(bench)
    assert [] == bench.reasons


async def test_version_5_has_types_and_units_in_the_description() -> None:
    bench = Bench()

    publish(bench, (f"{CAR_5}/$description", DESCRIPTION), (f"{CAR_5}/engine/temperature", "21.5"))

    assert [Reading("super-car", "engine.temperature", NOW_US + 1, 21.5, "Cel")] == bench.store.readings


async def test_a_new_description_replaces_the_old_one_as_a_whole() -> None:
    bench = Bench()
    other = (
        '{"homie":"5.0","version":2,"nodes":{"engine":{"properties":{"speed":{"datatype":"integer","unit":"rpm"}}}}}'
    )

    publish(
        bench,
        (f"{CAR_5}/$description", DESCRIPTION),
        (f"{CAR_5}/$description", other),
        (f"{CAR_5}/engine/temperature", "21.5"),
        (f"{CAR_5}/engine/speed", "900"),
    )

    assert ["", "1/min"] == [reading.unit for reading in bench.store.readings]


async def test_a_deleted_description_is_forgotten() -> None:
    bench = Bench()

    publish(
        bench,
        (f"{CAR_5}/$description", DESCRIPTION),
        (f"{CAR_5}/$description", ""),
        (f"{CAR_5}/engine/temperature", "1"),
    )

    assert [""] == [reading.unit for reading in bench.store.readings]


@pytest.mark.parametrize("root", [CAR, CAR_5])
@pytest.mark.parametrize(
    ("word", "online"),
    [("init", True), ("ready", True), ("sleeping", True), ("alert", True), ("disconnected", False), ("lost", False)],
)
async def test_state_is_presence(root: str, word: str, online: bool) -> None:
    bench = Bench()

    publish(bench, (f"{root}/$state", word))

    assert [DeviceState("super-car", online, word, NOW_US)] == bench.store.states
    assert ([], []) == (bench.store.readings, bench.reasons)


def test_a_lost_root_takes_so_many_devices_along_and_no_more() -> None:
    decode, notes = Homie(), Notes()
    for name, first, last in (("root", 0, 600), ("c0", 600, 1_200)):
        children = [f"c{number}" for number in range(first, last)]
        topic = f"homie/5/{name}/$description"
        decode(
            orjson.dumps({"children": children}),
            Origin(topic, topic, device_in_route=False, rest=f"5/{name}/$description"),
            NOW_US,
            Notes(),
        )

    topic = "homie/5/root/$state"
    decode(b"lost", Origin(topic, topic, device_in_route=False, rest="5/root/$state"), NOW_US, notes)

    assert len(notes.states) == 1 + MAX_LOST
    assert [reason for reason, _ in notes.faults] == ["too_many_metrics"]


async def test_a_lost_root_takes_its_children_along_and_brings_them_back() -> None:
    bench = Bench()
    publish(
        bench,
        ("homie/5/bridge/$description", '{"version":1,"children":["lamp","hub"]}'),
        ("homie/5/hub/$description", '{"version":1,"root":"bridge","children":["sensor","bridge"]}'),
        *((f"homie/5/{name}/$state", "ready") for name in ("bridge", "lamp", "hub")),
        ("homie/5/sensor/$state", "sleeping"),
    )
    before = len(bench.store.states)

    publish(bench, ("homie/5/bridge/$state", "lost"))
    lost = bench.store.states[before:]
    publish(bench, ("homie/5/bridge/$state", "init"))
    back = bench.store.states[before + len(lost) :]

    assert {("bridge", "lost"), ("lamp", "lost"), ("hub", "lost"), ("sensor", "lost")} == {s[0:3:2] for s in lost}
    assert {("bridge", "init"), ("lamp", "ready"), ("hub", "ready"), ("sensor", "sleeping")} == {s[0:3:2] for s in back}


@pytest.mark.parametrize(
    ("topic", "payload", "kind"),
    [
        (f"{CAR}/$stats/uptime", "1234", "metadata"),
        (f"{CAR}/$name", "Super car", "metadata"),
        (f"{CAR}/engine/$properties", "speed,temperature", "metadata"),
        (f"{CAR}/lights/power/set", "true", "command"),
        ("homie/$broadcast/alert", "Intruder", "event"),
        ("homie/5/$broadcast/security/alert", "Intruder", "event"),
        (f"{CAR_5}/engine/temperature/$target", "25", "target"),
        (f"{CAR_5}/engine/temperature/set", "25", "command"),
        (f"{CAR_5}/$log/warn", "hot", "log"),
        (f"{CAR_5}/$alert/battery", "low", "alert"),
        (f"{CAR}/engine/temperature", "", "empty"),
        (f"{CAR}/$state", "", "empty"),
    ],
)
async def test_what_is_no_reading_is_counted_by_kind(topic: str, payload: str, kind: str) -> None:
    bench = Bench()

    publish(bench, (topic, payload))

    assert {kind: 1} == skipped(bench)
    assert ([], [], []) == (bench.store.readings, bench.store.states, bench.reasons)


async def test_arrays_of_version_3_are_nodes_with_the_attributes_of_the_whole() -> None:
    bench = Bench()

    publish(
        bench,
        (f"{CAR}/lights/$array", "0-1"),
        (f"{CAR}/lights/intensity/$unit", "%"),
        (f"{CAR}/lights_0/intensity", "50"),
    )

    assert [Reading("super-car", "lights_0.intensity", NOW_US + 2, 50.0, "/100")] == bench.store.readings


@pytest.mark.parametrize(
    ("datatype", "payload", "value"),
    [
        ("string", "007", "007"),
        ("string", "nan", "nan"),
        ("string", b"\0", ""),
        ("enum", "true", "true"),
        ("color", "255,0,0", "255,0,0"),
        ("datetime", "2026-11-20T16:00:00Z", "2026-11-20T16:00:00Z"),
        ("duration", "PT5M", "PT5M"),
        ("json", '{"a":1}', '{"a":1}'),
        ("boolean", "true", True),
        ("boolean", "false", False),
        ("integer", "-3", -3.0),
        ("float", "1e3", 1000.0),
        ("float", "7", 7.0),
        ("", "007", "007"),
        ("", "true", True),
        ("", "on", "on"),
        ("", b"\0", ""),
        ("", "99999999999999999999", "99999999999999999999"),
        ("", "1e999", "1e999"),
        ("", "\uff11\uff12", "\uff11\uff12"),  # full-width digits
    ],
)
async def test_the_datatype_decides_and_without_one_the_look(
    datatype: str, payload: str | bytes, value: object
) -> None:
    bench = Bench()

    publish(bench, (f"{CAR}/n/p/$datatype", datatype), (f"{CAR}/n/p", payload))

    assert [(type(value), value)] == [(type(reading.value), reading.value) for reading in bench.store.readings]
    assert [] == bench.reasons


@pytest.mark.parametrize(
    ("datatype", "payload", "reason"),
    [
        ("boolean", "True", "bad_value"),
        ("boolean", "1", "bad_value"),
        ("boolean", b"\0", "bad_value"),
        ("float", "NaN", "bad_value"),
        ("float", "Infinity", "bad_value"),
        ("float", "1_000", "bad_value"),
        ("float", "1e999", "bad_value"),
        ("integer", "1.5", "bad_value"),
        ("integer", "9" * 5_000, "bad_value"),
        ("string", b"\xff", "not_utf8"),
        ("string", "a\0b", "bad_text"),
    ],
)
async def test_a_value_that_its_type_cannot_have_is_quarantined(
    datatype: str, payload: str | bytes, reason: str
) -> None:
    bench = Bench()

    publish(bench, (f"{CAR}/n/p/$datatype", datatype), (f"{CAR}/n/p", payload))

    assert [reason] == bench.reasons
    assert [] == bench.store.readings


async def test_integers_beyond_53_bit_keep_every_digit() -> None:
    bench = Bench()

    publish(bench, (f"{CAR}/n/p/$datatype", "integer"), (f"{CAR}/n/p", "9007199254740993"))

    assert ["9007199254740993"] == [reading.value for reading in bench.store.readings]
    assert 1 == bench.pipeline.counters.integers_as_text


async def test_words_for_no_value_are_no_readings_where_no_type_is_known() -> None:
    bench = Bench()

    publish(bench, (f"{CAR}/n/p", "unavailable"))

    assert {"no_value": 1} == skipped(bench)


async def test_retained_values_are_old_and_not_stored_and_retained_descriptions_count() -> None:
    bench = Bench()

    bench.accept("21.0", f"{CAR}/engine/temperature", retained=True)
    bench.accept("°C", f"{CAR}/engine/temperature/$unit", retained=True)
    bench.accept("ready", f"{CAR}/$state", retained=True)
    bench.accept("21.5", f"{CAR}/engine/temperature")

    assert [Reading("super-car", "engine.temperature", NOW_US + 3, 21.5, "Cel")] == bench.store.readings
    assert ["ready"] == [state.state for state in bench.store.states]
    assert 1 == bench.pipeline.counters.retained_untimed


async def test_a_number_of_things_is_a_count() -> None:
    bench = Bench()

    publish(bench, (f"{CAR}/n/p/$unit", "#"), (f"{CAR}/n/p", "3"))

    assert ["count"] == [reading.unit for reading in bench.store.readings]


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        (f"{CAR}/$state", "here", "bad_state"),
        (f"{CAR}/engine", "1", "unknown_topic"),
        (f"{CAR}/a/b/c", "1", "unknown_topic"),
        (f"{CAR}/a/b/c/d", "1", "unknown_topic"),
        (f"{CAR}/a/b/$unit", "x" * 40, "bad_unit"),
        (f"{CAR}/a/b/$unit", b"\xff", "not_utf8"),
        (f"{CAR}/a/{'b' * 300}/$unit", "W", "bad_metric"),
        (f"homie/{'d' * 300}/$state", "ready", "bad_device"),
        ("homie//$state", "ready", "bad_device"),
        (f"{CAR_5}/$description", '{"nodes":{"a":{"properties":{"":{}}}},"children":[""]}', "bad_description"),
        (f"{CAR_5}/$description", f'{{"nodes":{{"a":{{"properties":{{"{"b" * 300}":{{}}}}}}}}}}', "bad_metric"),
        (f"{CAR_5}/$description", "[]", "bad_description"),
        (f"{CAR_5}/$description", '{"nodes":[1]}', "bad_description"),
        (f"{CAR_5}/$description", '{"nodes":{"a":1}}', "bad_description"),
        (f"{CAR_5}/$description", '{"nodes":{"a":{"properties":{"b":1}}}}', "bad_description"),
        (f"{CAR_5}/$description", '{"children":"a"}', "bad_description"),
        (f"{CAR_5}/$description", '{"children":[1]}', "bad_description"),
        (f"{CAR_5}/$description", "{", "not_json"),
    ],
)
async def test_what_homie_does_not_have_is_quarantined(topic: str, payload: str | bytes, reason: str) -> None:
    bench = Bench()

    publish(bench, (topic, payload))

    assert [reason] == bench.reasons


@pytest.mark.parametrize(
    ("route", "topic"),
    [
        (RouteSettings(filter="house/#", decoder="homie"), "house/super-car"),
        (RouteSettings(filter="house/#", decoder="homie"), "house/5/super-car"),
        (RouteSettings(filter="house/+/#", decoder="homie"), "house/super-car"),
        (RouteSettings(filter="house/+/+/+/#", decoder="homie", device_level=1), "house/super-car"),
        (RouteSettings(filter="house/5/+/#", decoder="homie"), "house/5/super-car"),
        (RouteSettings(filter="house/#", decoder="homie", device="super-car"), "house"),
    ],
)
async def test_another_root_is_a_route(route: RouteSettings, topic: str) -> None:
    bench = Bench(routes=[route])

    publish(bench, (f"{topic}/n/p/$unit", "W"), (f"{topic}/n/p", "5"))

    assert [Reading("super-car", "n.p", NOW_US + 1, 5.0, "W")] == bench.store.readings


async def test_devices_of_one_name_under_two_roots_keep_their_own_units() -> None:
    bench = Bench()

    publish(bench, (f"{CAR}/n/p/$unit", "W"), (f"{CAR_5}/n/p", "5"))

    assert [""] == [reading.unit for reading in bench.store.readings]


def say(decoder: Homie, topic: str, body: bytes, now_us: int = NOW_US) -> tuple[list[Reading], Notes]:
    notes = Notes()
    origin = Origin(topic, topic, device_in_route=False, rest=topic.removeprefix("homie/"))
    return decoder(body, origin, now_us, notes), notes


def test_memory_is_bounded_says_so_and_keeps_those_at_work() -> None:
    decoder = Homie(max_devices=2, max_properties=3)
    for name in ("a", "b", "stranger"):
        say(decoder, f"homie/{name}/n/p/$unit", b"W")
    many = orjson.dumps({"nodes": {"n": {"properties": {f"p{i}": {} for i in range(9)}}}})
    _, notes = say(decoder, "homie/a/$description", many)

    assert ["W", "W", ""] == [say(decoder, f"homie/{name}/n/p", b"1")[0][0].unit for name in ("a", "b", "stranger")]
    assert ["too_many_metrics"] == [reason for reason, _ in notes.faults]
    assert (2, 2) == (len(decoder.devices), decoder.devices.parts)


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        (f"{CAR}/engine/temperature", b"21.5"),
        (f"{CAR}/engine/temperature/$unit", "°C".encode()),
        (f"{CAR}/$state", b"disconnected"),
        (f"{CAR_5}/$description", DESCRIPTION.encode()),
    ],
)
def test_truncated_anywhere_nothing_but_a_payload_error_escapes(topic: str, payload: bytes) -> None:
    for end in range(len(payload)):
        with contextlib.suppress(PayloadError):
            say(Homie(), topic, payload[:end])


LEVELS = st.sampled_from(
    ["5", "a", "b", "$state", "$description", "$unit", "$datatype", "$target", "$log", "$x", "set", "", "lights_0"]
)
BODIES = st.binary(max_size=8) | st.sampled_from(
    [b"1", b"true", b"lost", b"ready", b"\0", b'{"children":["a","b"]}', b'{"nodes":{"a":{"properties":{"b":{}}}}}']
)


@given(st.lists(st.tuples(st.lists(LEVELS, min_size=1, max_size=5), BODIES), max_size=10))
def test_whatever_comes_only_payload_errors_escape_and_memory_is_counted(
    messages: list[tuple[list[str], bytes]],
) -> None:
    decoder = Homie(max_devices=3, max_properties=4)
    for levels, body in messages:
        with contextlib.suppress(PayloadError):
            say(decoder, "/".join(["homie", *levels]), body)

    assert len(decoder.devices) <= 3
    assert decoder.devices.parts <= 4
