"""ThingsBoard's topics."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.telemetry.decoders.thingsboard import decode
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from hub.telemetry.routes import RouteSettings
from storage.reading import Reading
from tests.support.telemetry import NOW_US, Bench

GATEWAY = "v1/gateway/telemetry"
TIME_US = 1_483_228_800_000_000


async def test_a_gateway_names_its_devices() -> None:
    bench = Bench()

    bench.accept('{"Device A":[{"ts":1483228800000,"values":{"temperature":42}}],"B":[{"x":1}],"C":5}', GATEWAY)

    assert bench.store.readings == [Reading("Device A", "temperature", TIME_US, 42.0), Reading("B", "x", NOW_US, 1.0)]
    assert bench.reasons == ["not_a_record"]


async def test_me_is_nobody_behind_a_bridge() -> None:
    bench = Bench()

    bench.accept('{"a":1}', "v1/devices/me/telemetry")

    assert bench.reasons == ["unnamed_device"]


async def test_a_route_can_say_who_me_is() -> None:
    bench = Bench(routes=[RouteSettings(filter="v1/devices/me/telemetry", device="boiler")])

    bench.accept('{"a":1}', "v1/devices/me/telemetry")

    assert bench.store.readings == [Reading("boiler", "a", NOW_US, 1.0)]


def test_one_bad_device_does_not_cost_the_others() -> None:
    notes = Notes()

    readings = decode(b'{"A":{"name":5,"value":1},"B":{"b":2}}', Origin(GATEWAY, GATEWAY), NOW_US, notes)

    assert [reading.device for reading in readings] == ["B"]
    assert [reason for reason, _ in notes.faults] == ["bad_metric"]


@pytest.mark.parametrize(("body", "reason"), [(b"[]", "not_a_record"), (b'{"A":[', "not_json")])
def test_other_shapes_are_refused(body: bytes, reason: str) -> None:
    with pytest.raises(PayloadError, match=reason):
        decode(body, Origin(GATEWAY, GATEWAY), NOW_US, Notes())


def test_without_the_right_of_a_gateway_it_names_nobody() -> None:
    with pytest.raises(PayloadError, match="device_mismatch"):
        decode(b'{"A":{"a":1}}', Origin(GATEWAY, GATEWAY, gateway=False), NOW_US, Notes())


@given(st.binary(max_size=40))
def test_only_payload_errors_escape(body: bytes) -> None:
    with contextlib.suppress(PayloadError):
        decode(body, Origin(GATEWAY, GATEWAY), NOW_US, Notes())
