"""SenML: the vectors of RFC 8428 as sent and as resolved, the rules of resolution, the traps."""

import contextlib
import json
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.telemetry.decoders.senml import decode, is_cbor_pack, is_pack
from hub.telemetry.decoders.senml_records import LABELS, resolve
from hub.telemetry.decoders.strict_json import JsonValue
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from hub.telemetry.validation import MAX_ITEMS
from storage.reading import Reading
from tests.support.telemetry import NOW_US, Bench
from tests.support.vectors import SENML

HERE = Origin("a/b", "a/b", device_in_route=False)
OW = "urn:dev:ow:10e2073a01080063"
MAC = "urn:dev:mac:0024befffe804ff1"
PACK_OF_THREE = (
    "83a521781d75726e3a6465763a6d61633a303032346265666666653830346666312f221a4eaea188006474656d70016343656c02fb"
    "4037800000000000a300656c6576656c016325454c021828a200646f70656e04f4"
)
NUMBERS = {label: number for number, label in LABELS.items()}
resolved_examples = pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12])


def decoded(pack: object, *, now_us: int = NOW_US, origin: Origin = HERE) -> tuple[list[Reading], Notes]:
    notes = Notes()
    body = pack if isinstance(pack, bytes) else json.dumps(pack).encode()
    return decode(body, origin, now_us, notes), notes


def values(pack: object) -> list[tuple[str, str, float | bool | str, str]]:
    return [(r.device, r.metric, r.value, r.unit) for r in decoded(pack)[0]]


def vector(name: str) -> bytes:
    return (SENML / name).read_bytes()


def as_resolved(pack: list[dict[str, Any]], now_us: int) -> list[tuple[str, str, int, object]]:
    return [
        (record.base_name + record.name, record.unit, record.time_us, record.value)
        for record in resolve(pack, now_us)
        if not isinstance(record, PayloadError) and not isinstance(record.value, bytes)
    ]


@resolved_examples
def test_a_pack_resolves_to_what_the_rfc_says(number: int) -> None:
    sent, resolved = json.loads(vector(f"ex{number}.json")), json.loads(vector(f"ex{number}.resolved.json"))
    now_us = 1_499_109_309_000_000 if number == 7 else 1_498_780_179_000_000

    expected = [
        (
            record["n"],
            record.get("u", ""),
            round(record["t"] * 1_000_000),
            next(record[label] for label in ("v", "vs", "vb") if label in record),
        )
        for record in resolved
    ]
    assert as_resolved(sent, now_us) == expected
    assert as_resolved(resolved, now_us) == expected


@pytest.mark.parametrize("number", [3, 5])
def test_a_pack_in_cbor_is_the_pack_in_json(number: int) -> None:
    assert decoded(vector(f"ex{number}.cbor"))[0] == decoded(vector(f"ex{number}.json"))[0]


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13])
async def test_every_example_is_recognised_by_its_content(number: int) -> None:
    body = vector(f"ex{number}.json")
    bench = Bench()

    bench.accept(body, "a/b", now_us=1_498_780_179_000_000)

    assert bench.reasons == []
    assert is_pack(json.loads(body))
    assert bench.store.readings == decoded(body, now_us=1_498_780_179_000_000)[0]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ([{"bn": "x"}, {}], True),
        ([{"n": "t", "v": 1}, {}], True),
        ([{"bn": "x"}, {"a": 1}], False),
        ([{"bn": "x", "v": 1}, 1], False),
        ([{"bn": 5}, {}], False),
        ([{"n": "t"}], False),
        ([{"v": 1}], False),
        ([{"bt": 1}], False),
        ([{}, {}], False),
        ([], False),
        ({"n": "t", "v": 1}, False),
    ],
)
def test_a_pack_is_told_from_other_arrays_by_its_labels(document: JsonValue, expected: bool) -> None:
    assert is_pack(document) is expected


def test_a_cbor_pack_is_told_from_other_arrays_by_its_labels() -> None:
    assert is_cbor_pack([{0: "t", 2: 1}, {}])
    assert is_cbor_pack([{-2: "x"}])
    assert not is_cbor_pack([{0: "t", 2: 1}, {"a": 1}])
    assert not is_cbor_pack([{}])
    assert not is_cbor_pack([])


def test_a_label_as_a_number_and_as_text_is_one_key_twice() -> None:
    with pytest.raises(PayloadError, match="duplicate_key"):
        decoded(cbor2.dumps([{0: "t", "n": "u", 2: 1}]))


def test_the_update_time_is_checked_and_not_kept() -> None:
    readings, _ = decoded(b'[{"n":"t","v":1,"ut":60}]')

    assert [("t", 1.0)] == [(reading.metric, reading.value) for reading in readings]


def test_nameless_records_that_differ_by_unit_are_different_series() -> None:
    readings, _ = decoded(vector("ex5.json"))

    counts = {metric: sum(r.metric == metric for r in readings) for metric in ("%RH", "lon", "lat", "%EL")}
    assert counts == {"%RH": 4, "lon": 4, "lat": 4, "%EL": 1}
    assert {reading.device for reading in readings} == {OW}


@pytest.mark.parametrize(
    ("pack", "expected"),
    [
        ([{"n": OW, "u": "Cel", "v": 23.1}], [(OW, "Cel", 23.1, "Cel")]),
        (
            [{"bn": f"{OW}:", "n": "voltage", "u": "V", "v": 120.1}, {"n": "current", "u": "A", "v": 1.2}],
            [(OW, "voltage", 120.1, "V"), (OW, "current", 1.2, "A")],
        ),
        (
            [{"bn": "2001:db8::2/", "n": "t", "v": 1}, {"bn": "2001:db8::1/", "n": "t", "v": 2}],
            [("2001:db8::2", "t", 1.0, ""), ("2001:db8::1", "t", 2.0, "")],
        ),
        ([{"n": f"{OW}_temp", "v": 1}], [(OW, "temp", 1.0, "")]),
        ([{"n": "temp", "v": 1}], [("a/b", "temp", 1.0, "")]),
        ([{"bn": "press-7", "v": 1}], [("press-7", "value", 1.0, "")]),
        ([{"n": "t", "u": "%", "v": 0.5}], [("a/b", "t", 0.5, "%")]),
        ([{"n": "t", "v": 1, "l": 5}], [("a/b", "t", 1.0, "")]),
        ([{"bn": "x:", "bver": 5}, {"n": "t", "v": 1}], [("x", "t", 1.0, "")]),
        (
            [{"bv": 20, "n": "t", "v": 1.5}, {"n": "on", "vb": False}],
            [("a/b", "t", 21.5, ""), ("a/b", "on", False, "")],
        ),
        ([{"bs": 100, "n": "e", "u": "W", "s": 5}], [("a/b", "e.sum", 105.0, "")]),
        (
            [{"n": "e", "u": "W", "v": 3, "s": 5}],
            [("a/b", "e", 3.0, "W"), ("a/b", "e.sum", 5.0, "")],
        ),
    ],
)
def test_names_become_device_and_metric(pack: object, expected: object) -> None:
    assert values(pack) == expected


@pytest.mark.parametrize(
    ("fields", "time_us"),
    [
        ({}, NOW_US),
        ({"t": -5}, NOW_US - 5_000_000),
        ({"t": 0.25}, NOW_US + 250_000),
        ({"t": 2**28 - 1}, NOW_US + (2**28 - 1) * 1_000_000),
        ({"t": 2**28}, 2**28 * 1_000_000),
        ({"bt": 1.276020076001e9}, 1_276_020_076_001_000),
        ({"bt": 1.276020076001e9, "t": -5}, 1_276_020_071_001_000),
    ],
)
def test_small_times_are_relative_to_now(fields: dict[str, float], time_us: int) -> None:
    readings, notes = decoded([{"n": "t", "v": 1, **fields}])

    assert [reading.time_us for reading in readings] == [time_us]
    assert notes.untimed == (0 if fields else 1)


def test_octets_are_no_reading() -> None:
    readings, notes = decoded([{"n": "nfv-reader", "vd": "aGkgCg"}, {"n": "t", "v": 1}])

    assert [reading.metric for reading in readings] == ["t"]
    assert notes.skipped == {"binary": 1}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"n": "t"}, "senml_value"),
        ({"n": "t", "v": 1, "vs": "x"}, "senml_value"),
        ({"n": "t", "v": "1"}, "senml_value"),
        ({"n": "t", "v": True}, "senml_value"),
        ({"n": "t", "v": None}, "senml_value"),
        ({"n": "t", "vb": 1}, "senml_value"),
        ({"n": "t", "vs": 1}, "senml_value"),
        ({"n": "t", "vd": 1}, "senml_value"),
        ({"n": 5, "v": 1}, "senml_value"),
        ({"n": "t", "u": 5, "v": 1}, "senml_value"),
        ({"n": "t", "t": "1", "v": 1}, "senml_value"),
        ({"n": "t", "s": "1"}, "senml_value"),
        ({"n": "t", "v": 1, "ut": "soon"}, "senml_value"),
        ({"n": "t", "v": 1, "ut": -1}, "senml_value"),
        ({}, "senml_value"),
        ({"l": 5}, "senml_value"),
        ({"n": "t t", "v": 1}, "senml_name"),
        ({"n": "t\u00e4", "v": 1}, "senml_name"),
        ({"n": "t" * 1000, "v": 1}, "senml_name"),
        ({"n": "t", "v": 1, "t": 1e300}, "bad_time"),
        ({"n": "t", "v": 1.7e308, "bv": 1.7e308}, "number_range"),
        (1, "not_senml"),
        (None, "not_senml"),
        ([], "not_senml"),
    ],
)
def test_a_bad_record_costs_that_record(record: object, reason: str) -> None:
    pack = [{"bn": "press-7:", "n": "a", "u": "V", "v": 1}, record, {"n": "b", "u": "A", "vs": "x"}]

    readings, notes = decoded(pack)

    assert readings == [
        Reading("press-7", "a", NOW_US, 1.0, "V"),
        Reading("press-7", "b", NOW_US, "x", "A"),
    ]
    assert [fault[0] for fault in notes.faults] == [reason]
    assert notes.faults[0][1].startswith("[1] ")


@pytest.mark.parametrize("record", [{0: "t"}, {0: "t", 2: "1"}, {}, 1, b"x"])
def test_a_bad_record_in_cbor_costs_that_record(record: object) -> None:
    readings, notes = decoded(cbor2.dumps([{-2: "press-7:", 0: "a", 2: 1}, record, {0: "b", 2: 2}]))

    assert [("press-7", "a", 1.0), ("press-7", "b", 2.0)] == [(r.device, r.metric, r.value) for r in readings]
    assert [detail[:4] for _, detail in notes.faults] == ["[1] "]


def test_the_base_of_a_bad_record_holds_for_those_behind_it() -> None:
    """A record is not stored, and the next ones still belong to the device, unit and time that it names."""
    bad = {"bn": "press-8:", "bt": 1.276020076e9, "bu": "Cel", "bv": 10, "n": "t t", "v": 1}

    readings, _ = decoded([{"bn": "press-7:", "n": "a", "v": 1}, bad, {"n": "b", "v": 1}])

    assert readings[1:] == [Reading("press-8", "b", 1_276_020_076_000_000, 11.0, "Cel")]


def test_bad_records_count_towards_the_values_of_a_pack() -> None:
    with pytest.raises(PayloadError, match="too_many_items"):
        decoded([{}] * (MAX_ITEMS + 1))


async def test_a_pack_with_a_bad_record_is_stored_and_quarantined_with_its_index() -> None:
    bench = Bench()

    bench.accept(b'[{"n":"a","v":1},{"n":"b","v":NaN},{"n":"c","v":3},{"n":"d"}]', "a/b")

    assert [reading.metric for reading in bench.store.readings] == ["a", "c"]
    assert [("senml_value", True)] == [(q.reason, "[3] " in q.detail) for q in bench.store.quarantined]


@pytest.mark.parametrize(
    ("pack", "reason"),
    [
        ([{"n": "t", "v": 1}, {"bn": 5}], "senml_value"),
        ([{"n": "t", "v": 1}, {"bt": "now", "n": "t", "v": 1}], "senml_value"),
        ([{"bu": 1, "n": "t", "v": 1}], "senml_value"),
        ([{"bv": True, "n": "t", "v": 1}], "senml_value"),
        ([{"bs": None, "n": "t", "v": 1}], "senml_value"),
        ([{"bver": "10", "n": "t", "v": 1}], "senml_value"),
        ([{"bver": 11, "n": "t", "v": 1}], "senml_version"),
        ([{"n": "t", "v": 1, "must_": 1}], "senml_label"),
        ({"n": "t", "v": 1}, "not_senml"),
        (5, "trailing_data"),
    ],
)
def test_a_pack_whose_base_is_broken_is_refused_whole(pack: object, reason: str) -> None:
    with pytest.raises(PayloadError) as caught:
        decoded(b"\x05\x05" if pack == 5 else pack)

    assert caught.value.reason == reason


def test_a_pack_may_name_another_device_only_where_the_route_allows_it() -> None:
    with pytest.raises(PayloadError, match="device_mismatch"):
        decoded([{"n": OW, "v": 1}], origin=Origin("a/b", "a/b", gateway=False))


async def test_the_pack_of_three_in_cbor() -> None:
    bench = Bench()

    bench.accept(bytes.fromhex(PACK_OF_THREE), "any/topic")

    time_us = 1_320_067_464_000_000
    assert bench.store.readings == [
        Reading(MAC, "temp", time_us, 23.5, "Cel"),
        Reading(MAC, "level", time_us, 40.0, "%EL"),
        Reading(MAC, "open", time_us, False, ""),
    ]


async def test_the_media_types_lead_here() -> None:
    bench = Bench()
    for media_type in ("application/senml+json", "application/senml+cbor"):
        pack = [{"n": "t", "v": 1}]
        body = json.dumps(pack).encode() if "json" in media_type else cbor2.dumps([{0: "t", 2: 1}])
        bench.accept(body, content_type=media_type)

    assert bench.store.readings == [Reading("press-7", "t", NOW_US + n, 1.0) for n in range(2)]


def test_a_cut_pack_is_refused() -> None:
    text = json.dumps([{"bn": f"{OW}:", "bt": 1.276020076001e9, "n": "v", "u": "V", "v": 120.1}]).encode()
    for body in (text, bytes.fromhex(PACK_OF_THREE)):
        for end in range(1, len(body)):
            with pytest.raises(PayloadError):
                decoded(body[:end])


FIELDS = st.dictionaries(
    st.sampled_from([*NUMBERS, "x", "y_"]),
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(["a", "b:", ""]),
    max_size=5,
)


@given(st.lists(FIELDS, max_size=4))
def test_only_payload_errors_escape_from_any_pack(pack: list[dict[str, object]]) -> None:
    with contextlib.suppress(PayloadError):
        decoded(pack)
    with contextlib.suppress(PayloadError):
        decoded(cbor2.dumps([{NUMBERS.get(label, label): value for label, value in r.items()} for r in pack]))


@given(st.binary(max_size=60))
def test_only_payload_errors_escape_from_any_octets(body: bytes) -> None:
    with contextlib.suppress(PayloadError):
        decoded(body)
