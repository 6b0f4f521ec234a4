"""InfluxDB's line protocol: types, escapes, several lines, device and metric."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.telemetry.decoders import influx_lines
from hub.telemetry.decoders.influx import ROW, decode
from hub.telemetry.decoders.row import Peek
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from hub.telemetry.validation import MAX_ITEMS
from storage.reading import Reading
from tests.support.telemetry import NOW_US, Bench

HERE = Origin("a/b", "a/b", device_in_route=False)
TELEGRAF = (
    "cpu,cpu=cpu0,host=web1 usage_idle=98.5,usage_user=1i 1465839830100400200\n"
    "disk,device=sda1,host=web1,path=/ free=5u 1465839830100400200\n"
)
TIME_US = 1_465_839_830_100_400


def decoded(text: str, origin: Origin = HERE) -> tuple[list[Reading], Notes]:
    notes = Notes()
    return decode(text.encode(), origin, NOW_US, notes), notes


def test_every_type_of_field() -> None:
    readings, _ = decoded('m f=1.0,g=.5,h=1.,e=-1e3,i=3i,u=3u,ok=t,no=FALSE,text="x" 1465839830100400200')

    assert [(r.metric, r.value) for r in readings] == [
        ("m.f", 1.0),
        ("m.g", 0.5),
        ("m.h", 1.0),
        ("m.e", -1000.0),
        ("m.i", 3.0),
        ("m.u", 3.0),
        ("m.ok", True),
        ("m.no", False),
        ("m.text", "x"),
    ]
    assert {r.time_us for r in readings} == {TIME_US}
    assert all(isinstance(r.value, float | bool | str) for r in readings)


def test_escapes_in_every_place() -> None:
    line = influx_lines.read(r'my\ m\,x,t\=a\ g=v\,\ w fi\=e\ ld="say \"hi\" C:\\d \n, =",b=1', 0)

    assert line.measurement == "my m,x"
    assert line.tags == {"t=a g": "v, w"}
    assert line.fields == {"fi=e ld": 'say "hi" C:\\d \\n, =', "b": 1.0}


async def test_what_telegraf_sends_needs_no_route() -> None:
    bench = Bench()

    bench.accept(TELEGRAF, "telegraf/web1/metrics")

    assert bench.reasons == []
    assert bench.store.readings == [
        Reading("web1", "cpu.usage_idle,cpu=cpu0", TIME_US, 98.5),
        Reading("web1", "cpu.usage_user,cpu=cpu0", TIME_US, 1.0),
        Reading("web1", "disk.free,device=sda1,path=/", TIME_US, 5.0),
    ]


@pytest.mark.parametrize(
    ("tags", "device", "metric"),
    [
        (",device=d,host=h", "h", "m.f,device=d"),
        (",device_id=i,host=h", "i", "m.f,host=h"),
        (",device=d", "d", "m.f"),
        (",z=1,y=2", "a/b", "m.f,y=2,z=1"),
        ("", "a/b", "m.f"),
    ],
)
def test_a_tag_names_the_device_and_the_others_keep_series_apart(tags: str, device: str, metric: str) -> None:
    readings, _ = decoded(f"m{tags} f=1 1465839830")

    assert readings == [Reading(device, metric, 1_465_839_830_000_000, 1.0)]


def test_without_a_time_the_time_of_receipt_counts() -> None:
    readings, notes = decoded("m f=1,g=2")

    assert [reading.time_us for reading in readings] == [NOW_US, NOW_US]
    assert notes.untimed == 2


def test_comments_and_empty_lines_are_none() -> None:
    readings, notes = decoded("# a comment\n\n  \r\nm f=1 1465839830\r\n#m g=2\n")

    assert [reading.metric for reading in readings] == ["m.f"]
    assert notes.faults == []


def test_a_bad_line_costs_that_line_alone() -> None:
    readings, notes = decoded('m f="a\nb" 1465839830\nnonsense\nm g=2 1465839830')

    assert [(r.metric, r.value) for r in readings] == [("m.f", "a\nb"), ("m.g", 2.0)]
    assert [reason for reason, _ in notes.faults] == ["bad_line"]
    assert notes.faults[0][1].startswith("line 3: expected ")


@pytest.mark.parametrize(
    "line",
    [
        "m",
        "m f",
        "m f=",
        "m f=x",
        "m f=1 x",
        "m f=1 2 3",
        ",t=1 f=1",
        "m,t f=1",
        "m,t= f=1",
        "m =1",
        'm f="x',
        "m f=1,",
        "m f=nan",
        "m f=1_0",
        "m f=1e999",
        "m f=9223372036854775808i",
        "m f=-1u",
        "m f=1,f=2",
        "m,t=1,t=2 f=1",
        "m f=1i2",
    ],
)
def test_lines_that_are_none(line: str) -> None:
    readings, notes = decoded(line)

    assert readings == []
    assert [reason for reason, _ in notes.faults] == ["bad_line"]


def guessed(text: str) -> tuple[list[Reading] | None, Notes]:
    assert ROW.guess is not None
    notes = Notes()
    return ROW.guess.read(Peek(text.encode(), text, None), HERE, NOW_US, notes), notes


def test_a_text_is_recognised_by_a_line_that_has_a_time() -> None:
    assert guessed(TELEGRAF)[0] == decoded(TELEGRAF)[0]
    for text in ("m f=1", "m f=1\nhello", "hello\nworld", "# only a comment", ""):
        assert guessed(text)[0] is None


@pytest.mark.parametrize(
    "bad", ["cpu usage=NaN 1465839830", "hello", "cpu usage=1.5.6 1465839830", "cpu,host= usage=1"]
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_bad_line_costs_that_line_wherever_it_stands(bad: str, place: int) -> None:
    lines = ["m f=1 1465839830", "m f=2 1465839831"]
    lines.insert(place, bad)

    readings, notes = guessed("\n".join(lines))

    assert readings is not None
    assert [reading.value for reading in readings] == [1.0, 2.0]
    assert [(reason, detail.partition(":")[0]) for reason, detail in notes.faults] == [
        ("bad_line", f"line {place + 1}")
    ]


def test_comments_and_empty_lines_count_as_lines_only() -> None:
    readings, notes = decoded("\r\n# a\n  \n\nm f=1 1465839830\n#\nx\n \t\n# end")

    assert [r.metric for r in readings] == ["m.f"]
    assert notes.faults == [("bad_line", "line 7: expected a space and fields at '\\n \\t\\n# end'")]


@pytest.mark.parametrize(
    "text",
    [
        "m f=1\n" * (MAX_ITEMS + 1),
        "bad\n" * (MAX_ITEMS + 1),
        "m " + ",".join(f"f{i}=1" for i in range(MAX_ITEMS + 1)),
    ],
)
def test_what_one_payload_may_hold_is_bounded_bad_lines_included(text: str) -> None:
    with pytest.raises(PayloadError, match="too_many_items"):
        decoded(text)


def test_a_line_of_more_tags_than_a_name_can_hold_is_no_line() -> None:
    _, notes = decoded("m," + ",".join(f"t{i}=1" for i in range(100)) + " f=1")

    assert notes.faults == [("bad_line", "line 1: more than 64 tags")]


def test_integers_beyond_the_exact_are_the_text_of_their_digits() -> None:
    readings, notes = decoded("m f=9007199254740993i,g=-9223372036854775808i,h=18446744073709551615u 1465839830")

    assert [reading.value for reading in readings] == [
        "9007199254740993",
        "-9223372036854775808",
        "18446744073709551615",
    ]
    assert notes.integers_as_text == 3


def test_another_device_needs_the_right_of_a_gateway() -> None:
    with pytest.raises(PayloadError, match="device_mismatch"):
        decoded("m,host=other f=1", Origin("a/b", "a/b", gateway=False))


def test_cut_lines_cost_nothing_but_themselves() -> None:
    for end in range(len(TELEGRAF)):
        decoded(TELEGRAF[:end])


@given(st.text(alphabet='m,= \\"\n\rft1i.#é', max_size=40).map(str.encode) | st.binary(max_size=40))
def test_only_payload_errors_escape(body: bytes) -> None:
    with contextlib.suppress(PayloadError):
        decode(body, HERE, NOW_US, Notes())
