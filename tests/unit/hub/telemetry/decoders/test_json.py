"""Shapes of plain JSON. Most of them are the rows of docs/reference/payloads.md (test_payloads_page)."""

import contextlib
from json import dumps

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.telemetry.decoders.json import TIME_KEYS, decode
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from storage.reading import Reading

ORIGIN = Origin("devices/d/telemetry", "d")
NOW_US = 1_795_190_400_000_000

KEYS = st.sampled_from([*TIME_KEYS, "t", "value", "values", "metric", "name", "unit", "a", "b.c", ""]) | st.text(
    max_size=3
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["2026-11-20T16:00:00Z", "°C", 1763654400, 1763654400123, 2**64, "\0"])
)
SHAPES = st.recursive(LEAVES, lambda c: st.lists(c, max_size=4) | st.dictionaries(KEYS, c, max_size=5), max_leaves=15)


def decoded(body: bytes, origin: Origin = ORIGIN) -> tuple[list[Reading], Notes]:
    notes = Notes()
    return decode(body, origin, NOW_US, notes), notes


def test_arrays_are_read_where_the_route_says_so() -> None:
    readings, _ = decoded(b'{"d":[1,{"x":2}]}', Origin("devices/d/telemetry", "d", arrays=True))

    assert readings == [Reading("d", "d.0", NOW_US, 1.0), Reading("d", "d.1.x", NOW_US, 2.0)]


def test_arrays_are_counted_where_they_are_left_out() -> None:
    readings, notes = decoded(b'{"d":[1,2],"e":1}')

    assert readings == [Reading("d", "e", NOW_US, 1.0)]
    assert notes.skipped == {"array": 1}


def test_numbers_come_out_as_floats_and_truth_values_as_such() -> None:
    """On the shortcut as well as on the general way."""
    for body in (
        b'{"ts":1763654400123,"i":1,"f":1.5,"b":true}',
        b'{"ts":1763654400123,"i":1,"f":1.5,"b":true,"x":null}',
    ):
        readings, _ = decoded(body)

        assert [(type(r.value), r.value) for r in readings] == [(float, 1.0), (float, 1.5), (bool, True)]


def test_the_shortcut_and_the_general_way_agree() -> None:
    for head in (b'{"ts":1763654400123,', b'{"ts":1763654400,', b'{"ts":5,', b"{"):
        short, short_notes = decoded(head + b'"a":1,"b":2.5}')
        general, general_notes = decoded(head + b'"a":1,"b":2.5,"c":[]}')

        assert short == general
        assert short_notes.untimed == general_notes.untimed


def test_the_end_of_a_numbers_name_is_its_unit_on_both_ways() -> None:
    for body in (
        b'{"out_C":1.5,"wind_m_s":2,"a_b":3,"on_V":true}',
        b'{"out_C":1.5,"wind_m_s":2,"a_b":3,"on_V":true,"x":[]}',
    ):
        readings, _ = decoded(body)

        assert [reading.unit for reading in readings] == ["Cel", "m/s", "", ""]


def test_numbers_in_quotes_are_numbers_where_the_route_says_so() -> None:
    origin = Origin("devices/d/telemetry", "d", numbers_in_text=True)

    readings, notes = decoded(b'{"a":"21.5","b":"1_0","c":"99999999999999999999999"}', origin)

    assert [reading.value for reading in readings] == [21.5, "1_0", "99999999999999999999999"]
    assert notes.faults == []


@pytest.mark.parametrize(
    "digits",
    [
        "9007199254740993",
        "-9007199254740993",
        "9223372036854775807",
        "18446744073709551615",
        "18446744073709551616",
        "45303034313030333531393532303137",
    ],
)
def test_an_integer_beyond_2_to_53_is_the_text_of_its_digits(digits: str) -> None:
    readings, notes = decoded(f'{{"ts":1763654400123,"a":{digits},"b":9007199254740992}}'.encode())

    assert [reading.value for reading in readings] == [digits, 9007199254740992.0]
    assert notes.faults == []


def test_a_repeated_key_is_found_on_the_shortcut() -> None:
    with pytest.raises(PayloadError, match="duplicate_key"):
        decoded(b'{"ts":1763654400123,"a":1,"a":2}')


@pytest.mark.parametrize(
    "text", ["", "nan", "NaN", "inf", "-inf", "None", "null", "N/A", "unavailable", "unknown", "Unknown"]
)
def test_words_for_no_value_are_no_readings(text: str) -> None:
    readings, notes = decoded(orjson.dumps({"a": text, "b": "OFF", "c": 0}))

    assert [reading.value for reading in readings] == ["OFF", 0.0]
    assert notes.skipped == {"no_value": 1}


@pytest.mark.parametrize("body", [b"", b" \n", b"\xef\xbb\xbf"])
def test_an_empty_payload_holds_nothing_by_design(body: bytes) -> None:
    readings, notes = decoded(body)

    assert readings == []
    assert notes.skipped == {"empty": 1}


def test_the_first_time_that_can_be_understood_is_taken() -> None:
    readings, _ = decoded(b'{"date":"2026-11-20","last_seen":null,"ts":1763654400,"a":1}')

    assert readings == [Reading("d", "a", 1_763_654_400_000_000, 1.0)]


def test_an_object_under_a_time_key_is_an_ordinary_branch() -> None:
    readings, _ = decoded(b'{"time":{"uptime":5}}')

    assert readings == [Reading("d", "time.uptime", NOW_US, 5.0)]


def test_one_bad_record_does_not_cost_the_others() -> None:
    readings, notes = decoded(b'[{"a":1},{"name":5,"value":2},{"a":3}]')

    assert [reading.value for reading in readings] == [1.0, 3.0]
    assert [reason for reason, _ in notes.faults] == ["bad_metric"]
    assert "[1]" in notes.summary()


def test_a_time_that_cannot_be_read_costs_the_time_and_is_named_with_its_place() -> None:
    readings, notes = decoded(b'[{"ts":1763654400,"a":1},{"ts":"yesterday","a":2}]')

    assert [(reading.value, reading.time_us) for reading in readings] == [(1.0, 1_763_654_400_000_000), (2.0, NOW_US)]
    assert [reason for reason, _ in notes.faults] == ["bad_time"]
    assert "[1] 'ts': 'yesterday'" in notes.summary()
    assert notes.untimed == 1


def test_a_route_may_leave_the_times_aside() -> None:
    origin = Origin("devices/d/telemetry", "d", ignore_time=True)

    for body in (b'{"ts":1763654400123,"a":1}', b'{"ts":"yesterday","a":1}', b'[{"time":true,"a":1}]'):
        readings, notes = decoded(body, origin)

        assert readings == [Reading("d", "a", NOW_US, 1.0)]
        assert (notes.untimed, notes.faults) == (1, [])


@pytest.mark.parametrize(
    ("body", "metrics"),
    [
        (b"21.5", ["Dc.0.Voltage"]),
        (b'{"value":21.5}', ["Dc.0.Voltage"]),
        (b'{"value":21.5,"unit":"V"}', ["Dc.0.Voltage"]),
        (b'{"value":21.5,"min":20}', ["Dc.0.Voltage", "Dc.0.Voltage.min"]),
        (b'{"a":1,"b":{"c":2}}', ["Dc.0.Voltage.a", "Dc.0.Voltage.b.c"]),
        (b'{"ts":1763654400123,"a":1}', ["Dc.0.Voltage.a"]),
        (b'[{"metric":"a","value":1}]', ["Dc.0.Voltage.a"]),
    ],
)
def test_what_the_topic_says_of_the_metric_stands_before_the_names(body: bytes, metrics: list[str]) -> None:
    readings, _ = decoded(body, Origin("N/x/Dc/0/Voltage", "x", metric="Dc.0.Voltage"))

    assert [reading.metric for reading in readings] == metrics


def test_an_array_of_values_is_an_array_under_the_topics_name() -> None:
    assert decoded(b"[1,2]")[1].skipped == {"array": 1}

    readings, notes = decoded(b"[1,true]", Origin("devices/d/telemetry", "d", arrays=True))

    assert [(reading.metric, reading.value) for reading in readings] == [("value.0", 1.0), ("value.1", True)]
    assert notes.faults == []


def test_bad_values_are_named_with_their_path() -> None:
    readings, notes = decoded(b'{"ts":1763654400123,"a":1,"b":{"c":nan},"d":}')

    assert [reading.metric for reading in readings] == ["a"]
    assert [(reason, detail.partition(":")[0]) for reason, detail in notes.faults] == [
        ("not_a_number", "'b.c'"),
        ("bad_value", "'d'"),
    ]


def test_value_without_a_name_is_the_metric_value() -> None:
    readings, _ = decoded(b'{"value":3,"unit":"%"}')

    assert readings == [Reading("d", "value", NOW_US, 3.0, "/100")]


def test_value_beside_other_metrics_is_one_of_them() -> None:
    readings, _ = decoded(b'{"value":3,"other":4}')

    assert [reading.metric for reading in readings] == ["value", "other"]


@given(st.binary(max_size=200))
def test_only_payload_errors_escape_from_any_octets(body: bytes) -> None:
    with contextlib.suppress(PayloadError):
        decoded(body)


@given(SHAPES, st.booleans())
def test_only_payload_errors_escape_from_any_shape(document: object, arrays: bool) -> None:
    try:
        readings, notes = decoded(dumps(document).encode(), Origin("a/b", "a/b", device_in_route=False, arrays=arrays))
    except PayloadError:
        return
    assert all(isinstance(reading.value, float | bool | str) for reading in readings)
    assert notes.untimed <= len(readings)
