"""Formats of the user's own."""

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.settings.model import TelemetrySettings, routes_of
from hub.telemetry.formats import Format, FormatSettings
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin, RouteError
from hub.telemetry.routes import Routes, RouteSettings
from storage.reading import Reading
from tests.support.telemetry import NOW_US

HERE = Origin("acme/p7/up", "p7")
TABLE = FormatSettings(
    filter="acme/+/up",
    records="points[]",
    device="unit.serial",
    time="at",
    metrics={"temperature": "air.temp", "open": "door == 'open'", "load": "loads"},
    units={"temperature": "°C"},
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda c: (
        st.lists(c, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "points", "at", "unit"]), c, max_size=3)
    ),
    max_leaves=10,
)


def decoded(settings: FormatSettings, document: object, origin: Origin = HERE) -> tuple[list[Reading], Notes]:
    notes = Notes()
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    return Format(settings)(body, origin, NOW_US, notes), notes


def test_expressions_say_where_device_time_and_metrics_are() -> None:
    document = {
        "unit": {"serial": "S-1"},
        "points": [
            {"at": "2026-11-20T15:00:00Z", "air": {"temp": 21.5}, "door": "open"},
            {"at": 1795186800, "air": {"temp": 22}, "door": "shut", "unit": {"serial": "S-2"}},
        ],
    }

    readings, notes = decoded(TABLE, document)

    time_us = NOW_US - 3_600_000_000
    assert readings == [
        Reading("S-1", "temperature", time_us, 21.5, "Cel"),
        Reading("S-1", "open", time_us, True),
        Reading("S-2", "temperature", time_us, 22.0, "Cel"),
        Reading("S-2", "open", time_us, False),
    ]
    assert notes.skipped == {"no_value": 2}


def test_an_object_may_give_all_metrics() -> None:
    settings = FormatSettings(filter="a", metrics="values", units={"b": "W"})

    readings, notes = decoded(settings, {"values": {"b": 1, "c": {"d": "x"}}})

    assert readings == [Reading("p7", "b", NOW_US, 1.0, "W"), Reading("p7", "c.d", NOW_US, "x")]
    assert notes.untimed == 2


def test_a_time_without_a_zone_is_in_the_formats() -> None:
    route = Routes([], formats=[FormatSettings(filter="a", time="t", metrics="v", zone="Europe/Berlin")]).find("a")
    assert route is not None

    readings, _ = decoded(
        FormatSettings(filter="a", time="t", metrics="v"), {"t": "2026-07-01 12:00:00", "v": {"x": 1}}, route.origin
    )

    assert [reading.time_us for reading in readings] == [1_782_900_000_000_000]


def test_an_integer_may_be_a_device() -> None:
    readings, _ = decoded(FormatSettings(filter="a", device="id", metrics="v"), {"id": 7, "v": {"x": 1}})

    assert [reading.device for reading in readings] == ["7"]


@pytest.mark.parametrize(
    ("keys", "document", "reason"),
    [
        ({"metrics": "v"}, {"v": 5}, "bad_result"),
        ({"metrics": "abs(v)"}, {"v": "x"}, "bad_result"),
        ({"metrics": {"x": "&v"}}, {"v": 1}, "bad_result"),
        ({"metrics": "@", "device": "id"}, {"id": True}, "bad_device"),
        ({"metrics": "@", "device": "id"}, {"id": {}}, "bad_device"),
        ({"metrics": "@"}, b"{", "not_json"),
    ],
)
def test_results_are_checked_like_payloads(keys: dict[str, Any], document: object, reason: str) -> None:
    with pytest.raises(PayloadError) as caught:
        decoded(FormatSettings(filter="a", **keys), document)

    assert caught.value.reason == reason


def test_a_bad_record_costs_that_record() -> None:
    settings = FormatSettings(filter="a", records="r", device="d", metrics={"x": "x"})

    readings, notes = decoded(settings, {"r": [{"x": 1}, {"x": 2, "d": {}}, {"x": 3}]})

    assert [reading.value for reading in readings] == [1.0, 3.0]
    assert [reason for reason, _ in notes.faults] == ["bad_device"]


@pytest.mark.parametrize("time", ["?", {}, True, [5]])
def test_a_bad_time_costs_the_time(time: object) -> None:
    readings, notes = decoded(FormatSettings(filter="a", time="t", metrics={"x": "x"}), {"x": 1, "t": time})

    assert readings == [Reading("p7", "x", NOW_US, 1.0)]
    assert (notes.untimed, [reason for reason, _ in notes.faults]) == (1, ["bad_time"])


def test_the_payload_may_name_its_metrics() -> None:
    settings = FormatSettings(filter="plant/opc", records="values[]", name="id", value="v", time="t", unit="u")
    document = {
        "timestamp": 1,
        "values": [
            {"id": "Ch1.Temp", "v": 63.5, "t": 1_795_186_800_000, "u": "°C"},
            {"id": 7, "v": True},
            {"id": "Ch1.Set", "v": {"low": 1, "high": 2}, "t": 1_795_186_800_000},
            {"v": 5},
            {"id": "x", "v": 1, "u": 5},
        ],
    }

    readings, notes = decoded(settings, document)

    time_us = NOW_US - 3_600_000_000
    assert readings == [
        Reading("p7", "Ch1.Temp", time_us, 63.5, "Cel"),
        Reading("p7", "7", NOW_US, True),
        Reading("p7", "Ch1.Set.low", time_us, 1.0),
        Reading("p7", "Ch1.Set.high", time_us, 2.0),
    ]
    assert [(reason, detail[:3]) for reason, detail in notes.faults] == [("bad_metric", "[3]"), ("bad_unit", "[4]")]


@pytest.mark.parametrize("keys", [{}, {"name": "a"}, {"value": "a"}, {"metrics": "@", "unit": "u"}])
def test_a_format_must_say_where_the_values_are(keys: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"name and value|metrics, or"):
        FormatSettings(filter="a", **keys)


def test_numbers_that_an_expression_makes_are_checked() -> None:
    settings = FormatSettings(filter="a", metrics={"x": "to_number(x)"})

    assert decoded(settings, {"x": "1e999"})[1].faults[0][0] == "not_a_number"
    assert decoded(settings, {"x": "9" * 60})[0][0].value == "9" * 60


def test_a_payload_multiplied_by_an_expression_is_refused() -> None:
    settings = FormatSettings(filter="a", records="r", metrics={str(n): "@" for n in range(30)})

    with pytest.raises(PayloadError, match="too_many_items"):
        decoded(settings, {"r": [1] * 1_000})


def test_another_device_needs_the_right_of_a_gateway() -> None:
    settings = FormatSettings(filter="a", device="id", metrics={"x": "x"})

    with pytest.raises(PayloadError, match="device_mismatch"):
        decoded(settings, {"id": "other", "x": 1}, Origin("acme/p7/up", "p7", gateway=False))


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"metrics": "a..b"}, "metrics at position 2"),
        ({"metrics": {"x": "'a"}}, "metrics.x at position 0"),
        ({"metrics": "@", "time": "foo("}, "time at position 4"),
        ({"metrics": "@", "device": ""}, "device: "),
        ({"metrics": "@", "records": "a b"}, "records at position 2"),
    ],
)
def test_a_wrong_expression_is_named_at_start(keys: dict[str, Any], says: str) -> None:
    with pytest.raises(RouteError) as caught:
        routes_of(TelemetrySettings(formats=(FormatSettings(filter="acme/+/up", **keys),)))

    assert "format 'acme/+/up'" in str(caught.value)
    assert says in str(caught.value)


def test_a_format_ranks_like_a_route() -> None:
    routes = Routes([RouteSettings(filter="acme/#")], formats=[TABLE])

    assert [route.name for topic in ("acme/p7/up", "acme/p7/down") if (route := routes.find(topic))] == [
        "acme/+/up",
        "acme/#",
    ]


def test_two_formats_with_one_filter_are_refused() -> None:
    with pytest.raises(RouteError, match="another"):
        Routes([], formats=[TABLE, TABLE])


def test_a_time_that_an_expression_makes_infinite_is_no_time() -> None:
    _, notes = decoded(FormatSettings(filter="a", time="sum(at)", metrics="@"), {"at": [1e308, 1e308], "b": 1})

    assert [reason for reason, _ in notes.faults] == ["bad_time"]


@given(JSON)
def test_only_payload_errors_escape(document: object) -> None:
    for settings in (
        TABLE,
        FormatSettings(
            filter="a", records="points[?at > `1`] | sort_by(@, &at)", metrics="merge(a, b)", time="sum(at)"
        ),
        FormatSettings(filter="a", metrics={"x": "max_by(points, &at).b", "y": "to_number(a)", "z": "avg(b)"}),
    ):
        with contextlib.suppress(PayloadError):
            decoded(settings, document)
