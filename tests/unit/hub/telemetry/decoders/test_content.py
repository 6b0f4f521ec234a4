"""Topics without a route, decoded by their content (device-formats section 1)."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.telemetry.decoders import DECODERS
from hub.telemetry.decoders.content import AVAILABILITY_LEVELS
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from storage.reading import Reading
from tests.support.telemetry import NOW_US, Bench

decode = DECODERS["content"].make()
HERE = Origin("plant/line/x", "plant/line/x", device_in_route=False)


@pytest.mark.parametrize(
    ("topic", "body", "expected"),
    [
        ("/sonoff03/dht22/temperature", "25.50", ("/sonoff03/dht22", "temperature", 25.5, "")),
        ("/sonoff03/gpio/12", "0", ("/sonoff03/gpio", "12", 0.0, "")),
        ("/d1mini04/BH1750/lux", "0.00", ("/d1mini04/BH1750", "lux", 0.0, "")),
        ("/sonoff08/sysinfo/wifi", "-70.00", ("/sonoff08/sysinfo", "wifi", -70.0, "")),
        ("rtl_433//FT-004B/protocol", "92", ("rtl_433//FT-004B", "protocol", 92.0, "")),
        ("rtl_433//FT-004B/temperature_C", "23.2", ("rtl_433//FT-004B", "temperature_C", 23.2, "Cel")),
        ("lonely", "5", ("lonely", "value", 5.0, "")),
        ("a/b", "23,5", ("a", "b", "23,5", "")),
        ("a/b", "OFF", ("a", "b", "OFF", "")),
        ("a/b", "true", ("a", "b", "true", "")),
        ("a/b", '"ON"', ("a", "b", "ON", "")),
        ("a/b", '"half', ("a", "b", '"half', "")),
        ("a/b", " 21.5 \n", ("a", "b", 21.5, "")),
        ("a/b", "\uff11\uff12", ("a", "b", "\uff11\uff12", "")),
        ("a/b", '{"t":21.5}', ("a/b", "t", 21.5, "")),
        ("a/b", '[{"t":21.5}]', ("a/b", "t", 21.5, "")),
        ("a/b", '[{"n":"t","u":"Cel","v":21.5}]', ("a/b", "t", 21.5, "Cel")),
        ("a/b", '[{"n":5,"v":3}]', None),
        ("a/status", "5", ("a", "status", 5.0, "")),
        ("a/status", "idle", ("a", "status", "idle", "")),
        ("a/state", "true", ("a", "state", "true", "")),
        ("online/x", "online", ("online", "x", "online", "")),
        ("status", "online", ("status", "value", "online", "")),
    ],
)
async def test_a_payload_is_what_its_octets_say(
    topic: str, body: str, expected: tuple[str, str, float | str, str] | None
) -> None:
    bench = Bench()

    bench.accept(body, topic)

    assert bench.reasons == []
    assert bench.store.states == []
    if expected is None:  # no labels of SenML: two metrics of plain JSON
        assert [reading.metric for reading in bench.store.readings] == ["n", "v"]
        return
    device, metric, value, unit = expected
    assert bench.store.readings == [Reading(device, metric, NOW_US, value, unit)]


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("rtl_433//FT-004B/time", "2024-05-17 13:30:55"),
        ("a/b", ""),
        ("a/b", " \n"),
        ("a/b", "nan"),
        ("a/b", "unavailable"),
        ("a/b", "null"),
        ("a/b", "{}"),
        ("a/b", "[]"),
        ("a/b", '[{"bn":"urn:dev:x","bt":1}]'),
    ],
)
async def test_some_messages_hold_no_reading_by_design(topic: str, body: str) -> None:
    bench = Bench()

    bench.accept(body, topic)

    assert bench.store.readings == []
    assert bench.reasons == []
    assert bench.pipeline.counters.messages_without_readings == 1


@pytest.mark.parametrize("level", [*sorted(AVAILABILITY_LEVELS), "LWT", "Status"])
@pytest.mark.parametrize(
    ("body", "online"),
    [(b"online", True), (b"offline", False), (b"Online", True), (b"Offline\n", False), (b'{"state":"online"}', True)],
)
def test_availability_is_a_state_and_no_reading(level: str, body: bytes, online: bool) -> None:
    topic, notes = f"plant/press-7/{level}", Notes()

    assert decode(body, Origin(topic, topic, device_in_route=False), NOW_US, notes) == []
    assert [(state.device, state.online) for state in notes.states] == [("plant/press-7", online)]


@pytest.mark.parametrize("level", ["online", "connected", "LWT", "availability", "available"])
def test_truth_values_are_a_state_where_the_level_asks_for_one(level: str) -> None:
    topic, notes = f"plant/{level}", Notes()

    assert decode(b"false", Origin(topic, topic, device_in_route=False), NOW_US, notes) == []
    assert [(state.device, state.online) for state in notes.states] == [("plant", False)]


async def test_the_state_of_a_device_reaches_the_store() -> None:
    bench = Bench()

    bench.accept("offline", "plant/press-7/LWT", retained=True)

    assert [(state.device, state.online) for state in bench.store.states] == [("plant/press-7", False)]
    assert bench.store.readings == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "unknown_format"),
        (b"\x05\x01", "unknown_format"),
        (b"\x83\x01\x02", "unknown_format"),
        (b"\xa1\x61a\x01\x01", "unknown_format"),
        (b"\xd9\xd9\xf7", "unknown_format"),
        (b"{'a':1}", "not_json"),
        (b'{"a":1}{"b":2}', "not_json"),
        (b'[{"bn":"x"},{}]', "senml_value"),
        (b"\x82\xa1\x21\x61x\xa0", "senml_value"),
    ],
)
async def test_what_nobody_understands_is_quarantined(body: bytes, reason: str) -> None:
    bench = Bench()

    bench.accept(body, "a/b")

    assert bench.reasons == [reason]
    assert bench.store.readings == []


async def test_octets_that_are_cbor_are_read_as_such() -> None:
    bench = Bench()

    bench.accept(bytes.fromhex("a26b74656d7065726174757265f94d606274731a6553f100"), "a/b")

    assert bench.store.readings == [Reading("a/b", "temperature", 1_700_000_000_000_000, 21.5)]


async def test_senml_in_cbor_is_found_by_its_labels() -> None:
    bench = Bench()
    pack = "81a300781b75726e3a6465763a6f773a31306532303733613031303830303633016343656c02fb403719999999999a"

    bench.accept(bytes.fromhex(pack), "a/b")

    assert bench.store.readings == [Reading("urn:dev:ow:10e2073a01080063", "Cel", NOW_US, 23.1, "Cel")]


async def test_a_content_type_overrides_the_guess() -> None:
    bench = Bench()

    bench.accept(b"5", "a/b", content_type="application/cbor")

    assert bench.store.readings == [Reading("a", "b", NOW_US, -22.0)]


async def test_lines_without_a_time_are_text() -> None:
    bench = Bench()

    bench.accept("mode x=1", "a/b")

    assert [reading.value for reading in bench.store.readings] == ["mode x=1"]


@given(st.binary(max_size=100) | st.text(max_size=50).map(str.encode))
def test_only_payload_errors_escape(body: bytes) -> None:
    with contextlib.suppress(PayloadError):
        decode(body, HERE, NOW_US, Notes())
