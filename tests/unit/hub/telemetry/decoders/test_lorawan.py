"""ChirpStack v4 and The Things Stack v3: the examples of their documentation, and what protobuf's JSON leaves out."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.telemetry.decoders import chirpstack, ttn
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from storage.reading import Reading
from tests.support.telemetry import NOW_US, Bench

EUI = "0101010101010101"
CHIRPSTACK = f"application/17c82e96-be03-4f38-aef3-f83d48582d97/device/{EUI}/event/"
UPLINK: dict[str, Any] = {
    "deduplicationId": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
    "time": "2022-07-18T09:34:15.775023242+00:00",
    "deviceInfo": {"deviceName": "Test device", "devEui": EUI, "tags": {"key": "value"}},
    "devAddr": "00189440",
    "dr": 1,
    "fPort": 1,
    "data": "qg==",
    "rxInfo": [{"gatewayId": "0016c001f153a14c", "uplinkId": 4217106255, "rssi": -36, "snr": 10.5}],
    "txInfo": {"frequency": 867100000},
}
UPLINK_US = 1_658_136_855_775_023
TTN = "v3/app1@tenant1/devices/dev1/"
TTN_UPLINK: dict[str, Any] = {
    "end_device_ids": {"device_id": "dev1", "dev_eui": "0004A30B001C0530"},
    "received_at": "2020-02-12T15:15:46.014773143Z",
    "uplink_message": {
        "f_cnt": 1,
        "f_port": 1,
        "frm_payload": "gkHe",
        "decoded_payload": {"temperature": 1.0, "luminosity": 0.64},
        "rx_metadata": [
            {"gateway_ids": {"gateway_id": "gtw1"}, "time": "2020-02-12T15:15:45.787Z", "rssi": -35, "snr": 5}
        ],
        "received_at": "2020-02-12T15:15:45.789585559Z",
    },
}
TTN_US = 1_581_520_545_789_585
RSSI, SNR = "lorawan.rssi", "lorawan.snr"


async def stored(topic: str, event: object) -> list[Reading]:
    bench = Bench()
    bench.accept(json.dumps(event), topic=topic)
    assert bench.reasons == []
    return bench.store.readings


async def refusal(topic: str, body: bytes | str) -> list[str]:
    bench = Bench()
    bench.accept(body, topic=topic)
    assert bench.store.readings == []
    return bench.reasons


async def test_an_uplink_without_a_codec_gives_the_quality_of_the_link_and_its_octets_are_not_guessed_at() -> None:
    assert await stored(CHIRPSTACK + "up", UPLINK) == [
        Reading(EUI, RSSI, UPLINK_US, -36.0, "dBm"),
        Reading(EUI, SNR, UPLINK_US, 10.5, "dB"),
    ]


async def test_what_a_codec_made_comes_with_zeros_and_nested() -> None:
    event = {**UPLINK, "object": {"temperature": 22.5, "count": 0, "env": {"open": False}, "errors": []}}

    assert (await stored(CHIRPSTACK + "up", event))[:3] == [
        Reading(EUI, "temperature", UPLINK_US, 22.5),
        Reading(EUI, "count", UPLINK_US, 0.0),
        Reading(EUI, "env.open", UPLINK_US, False),
    ]


async def test_the_gateway_that_heard_best_counts_and_what_was_left_out_is_zero() -> None:
    gateways = [{"rssi": -30, "snr": 1.5}, {"rssi": -90, "snr": 7}, {"rssi": -80, "snr": 7}, {"snr": -3}]
    event = {**UPLINK, "rxInfo": gateways}
    assert [reading.value for reading in await stored(CHIRPSTACK + "up", event)] == [-80.0, 7.0]

    assert [reading.value for reading in await stored(CHIRPSTACK + "up", {**UPLINK, "rxInfo": [{}]})] == [0.0, 0.0]


async def test_null_in_an_envelope_is_the_default_as_in_protobufs_mapping() -> None:
    event = {**UPLINK, "rxInfo": [{"rssi": -80, "snr": None}]}

    assert [reading.value for reading in await stored(CHIRPSTACK + "up", event)] == [-80.0, 0.0]


@pytest.mark.parametrize("time", [None, "", "5"])
async def test_old_state_of_an_event_whose_time_says_nothing_is_not_stored(time: str | None) -> None:
    bench = Bench()
    body = json.dumps({**UPLINK, "time": time})

    bench.accept(body, CHIRPSTACK + "up", retained=True)
    assert bench.store.readings == []

    bench.accept(body, CHIRPSTACK + "up")
    assert len(bench.store.readings) == bench.pipeline.counters.readings_without_time == 2


async def test_a_status_gives_margin_and_battery() -> None:
    event = {**UPLINK, "margin": 10, "batteryLevel": 88.3}

    assert await stored(CHIRPSTACK + "status", event) == [
        Reading(EUI, "lorawan.margin", UPLINK_US, 10.0, "dB"),
        Reading(EUI, "battery", UPLINK_US, 88.3, "%EL"),
    ]


@pytest.mark.parametrize(
    ("more", "metrics"),
    [
        ({}, {"lorawan.margin": 0.0, "battery": 0.0}),
        ({"batteryLevelUnavailable": True}, {"lorawan.margin": 0.0}),
        ({"externalPowerSource": True}, {"lorawan.margin": 0.0}),
    ],
)
async def test_a_status_that_leaves_out_means_zero_or_no_battery(
    more: dict[str, object], metrics: dict[str, float]
) -> None:
    readings = await stored(CHIRPSTACK + "status", {"time": UPLINK["time"], **more})

    assert {reading.metric: reading.value for reading in readings} == metrics


async def test_a_location_is_a_place() -> None:
    location = {"latitude": 37.344214, "longitude": -8.839375, "altitude": 2, "source": "GEO_RESOLVER_TDOA"}

    assert [
        (r.metric, r.value, r.unit) for r in await stored(CHIRPSTACK + "location", {**UPLINK, "location": location})
    ] == [
        ("latitude", 37.344214, "lat"),
        ("longitude", -8.839375, "lon"),
        ("altitude", 2.0, "m"),
    ]
    assert await stored(CHIRPSTACK + "location", UPLINK) == []


@pytest.mark.parametrize("kind", ["join", "ack", "txack", "log", "integration"])
async def test_other_events_hold_no_readings(kind: str) -> None:
    assert await stored(CHIRPSTACK + kind, UPLINK) == []


async def test_a_command_holds_no_readings() -> None:
    assert await stored(CHIRPSTACK.replace("/event/", "/command/") + "down", {"data": "qg=="}) == []


async def test_mac_traffic_gives_link_quality_only() -> None:
    event = {key: value for key, value in UPLINK.items() if key not in {"fPort", "data"}}

    assert [reading.metric for reading in await stored(CHIRPSTACK + "up", event)] == [RSSI, SNR]


async def test_the_protobuf_marshaler_is_named_with_what_to_do() -> None:
    bench = Bench()
    bench.accept(b"\x0a\x24", topic=CHIRPSTACK + "up")

    assert bench.reasons == ["protobuf_marshaler"]
    assert "JSON" in bench.store.quarantined[0].detail


@pytest.mark.parametrize(
    ("topic", "event", "reason"),
    [
        (CHIRPSTACK + "up", {**UPLINK, "deviceInfo": {"devEui": "ff"}}, "device_mismatch"),
        (CHIRPSTACK + "up", {**UPLINK, "rxInfo": [{"rssi": "loud"}]}, "bad_value"),
        (CHIRPSTACK + "new", UPLINK, "unknown_event"),
        (CHIRPSTACK + "up", [], "protobuf_marshaler"),
        (TTN + "up", [], "not_a_record"),
        (TTN + "what", TTN_UPLINK, "unknown_event"),
    ],
)
async def test_what_cannot_be_understood_is_refused(topic: str, event: object, reason: str) -> None:
    assert await refusal(topic, json.dumps(event)) == [reason]


@pytest.mark.parametrize(
    ("topic", "event"),
    [
        (CHIRPSTACK + "up", {**UPLINK, "time": "soon"}),
        (CHIRPSTACK + "up", {**UPLINK, "time": {}, "publishedAt": "soon"}),
        (TTN + "up", {**TTN_UPLINK, "uplink_message": {**TTN_UPLINK["uplink_message"], "received_at": "soon"}}),
    ],
)
async def test_a_time_that_cannot_be_read_costs_the_time(topic: str, event: object) -> None:
    bench = Bench()

    bench.accept(json.dumps(event), topic)

    assert {reading.time_us for reading in bench.store.readings} == {NOW_US}
    assert bench.reasons == ["bad_time"]


async def test_an_uplink_of_the_things_stack_has_the_network_servers_time() -> None:
    assert await stored(TTN + "up", TTN_UPLINK) == [
        Reading("dev1", "temperature", TTN_US, 1.0),
        Reading("dev1", "luminosity", TTN_US, 0.64),
        Reading("dev1", RSSI, TTN_US, -35.0, "dBm"),
        Reading("dev1", SNR, TTN_US, 5.0, "dB"),
    ]


async def test_the_open_source_edition_has_no_tenant() -> None:
    assert len(await stored("v3/app1/devices/dev1/up", TTN_UPLINK)) == 4


async def test_without_a_formatter_there_is_link_quality_only() -> None:
    uplink = {key: value for key, value in TTN_UPLINK["uplink_message"].items() if key != "decoded_payload"}

    assert [r.metric for r in await stored(TTN + "up", {**TTN_UPLINK, "uplink_message": uplink})] == [RSSI, SNR]


async def test_a_console_test_is_no_measurement() -> None:
    assert await stored(TTN + "up", {**TTN_UPLINK, "simulated": True}) == []


async def test_a_solved_location_is_a_place_with_its_accuracy() -> None:
    location = {"latitude": 1.5, "longitude": 2.5, "altitude": 3, "accuracy": 40, "source": "SOURCE_GPS"}
    event = {"received_at": "2020-02-12T15:15:45.789585559Z", "location_solved": {"location": location}}

    assert [(r.metric, r.value, r.unit) for r in await stored(TTN + "location/solved", event)] == [
        ("latitude", 1.5, "lat"),
        ("longitude", 2.5, "lon"),
        ("altitude", 3.0, "m"),
        ("accuracy", 40.0, "m"),
    ]


@pytest.mark.parametrize("kind", sorted(ttn.NO_READINGS))
async def test_other_events_and_commands_of_the_things_stack_hold_no_readings(kind: str) -> None:
    assert await stored(TTN + kind, TTN_UPLINK) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
KEYS = (
    "time",
    "rxInfo",
    "object",
    "deviceInfo",
    "fPort",
    "location",
    "uplink_message",
    "received_at",
    "location_solved",
)


@given(st.dictionaries(st.sampled_from(KEYS), JSON, max_size=5), st.integers(0, 400))
def test_nothing_but_payload_error_escapes(event: dict[str, object], cut: int) -> None:
    for decode, rests in ((chirpstack.decode, ("event/up", "event/status", "event/location")), (ttn.decode, ("up",))):
        for rest in rests:
            for body in (
                json.dumps(event).encode(),
                json.dumps(UPLINK).encode()[:cut],
                json.dumps(TTN_UPLINK).encode()[:cut],
            ):
                try:
                    decode(body, Origin("t", "d", rest=rest), NOW_US, Notes())
                except PayloadError as error:
                    assert error.reason  # noqa: PT017 - that it is one of ours is the point
