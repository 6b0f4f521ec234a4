"""Recordings: what the file may hold, the pace, and rows that share a time."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from device_sim.errors import BadArgumentError
from device_sim.replay.recording import Recording, parse_speed, read_recording
from device_sim.sensors.replay import parse_time_us
from tests.support.vectors import MACHINE_TEMPERATURE


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    return tmp_path / "recording.csv"


@pytest.mark.parametrize(
    "text",
    [
        "2013-12-02 21:15:00",
        "2013-12-02T21:15:00Z",
        "2013-12-02T22:15:00+01:00",
        "1386018900",
        "1386018900000",
        "1386018900000000",
        "1386018900000000000",
        " 1386018900.0 ",
    ],
)
def test_a_time_is_iso_8601_or_a_number_in_any_usual_unit(text: str) -> None:
    assert parse_time_us(text, "here") == 1_386_018_900_000_000


def test_microseconds_survive() -> None:
    assert parse_time_us("2013-12-02T21:15:00.123456", "here") == 1_386_018_900_123_456
    assert parse_time_us("1386018900.5", "here") == 1_386_018_900_500_000


@pytest.mark.parametrize("text", ["", "yesterday", "2013-13-01", "nan", "inf", None])
def test_a_bad_time_is_told_with_its_place(text: str | None) -> None:
    with pytest.raises(BadArgumentError, match="line 7: timestamp"):
        parse_time_us(text, "line 7")


@pytest.mark.parametrize(("text", "speed"), [("max", None), ("1", 1.0), ("60", 60.0), ("0.5", 0.5)])
def test_speeds(text: str, speed: float | None) -> None:
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["0", "-1", "fast", "nan", "inf"])
def test_a_bad_speed_names_the_option(text: str) -> None:
    with pytest.raises(BadArgumentError, match="--speed"):
        parse_speed(text)


def test_columns_may_come_in_any_order_among_others(csv_file: Path) -> None:
    csv_file.write_text("note,value,timestamp\na,1.5,100\nb,-2,101\n")

    assert read_recording(csv_file).rows == ((100_000_000, 1.5), (101_000_000, -2.0))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("time,value\n1,2\n", "no column 'timestamp'"),
        ("timestamp,temp\n1,2\n", "no column 'value'"),
        ("", "no column"),
        ("timestamp,value\n1,2\n2,cold\n", "line 3: value 'cold'"),
        ("timestamp,value\n1,nan\n", "line 2: value 'nan'"),
        ("timestamp,value\n1\n", "line 2: value None"),
    ],
)
def test_a_bad_file_is_told_before_anything_is_sent(csv_file: Path, content: str, problem: str) -> None:
    csv_file.write_text(content)

    with pytest.raises(BadArgumentError, match=problem):
        read_recording(csv_file)


def test_a_file_that_is_no_text_or_not_there_is_told(csv_file: Path) -> None:
    with pytest.raises(BadArgumentError, match="No such file"):
        read_recording(csv_file)
    csv_file.write_bytes(b"timestamp,value\n1,\xff\xfe\n")
    with pytest.raises(BadArgumentError, match="UTF-8"):
        read_recording(csv_file)


def test_a_row_that_repeats_a_time_is_sent_1_ms_later(csv_file: Path) -> None:
    csv_file.write_text("timestamp,value\n100,1\n100,2\n100,3\n100.001,4\n")
    recording = read_recording(csv_file)

    assert recording.rows == ((100_000_000, 1.0), (100_001_000, 2.0), (100_002_000, 3.0), (100_003_000, 4.0))
    assert recording.moved == 3


def test_speed_60_makes_a_minute_a_second_and_a_clock_set_back_does_not_turn_the_schedule() -> None:
    rows = tuple((us * 1_000_000, 0.0) for us in (1_000, 1_060, 1_000, 1_180))
    due = [message.due_s for message in Recording(rows, 0).schedule("d", "m", 60.0)]

    assert due == [0.0, 1.0, 1.0, 3.0]


def test_full_speed_is_due_at_once() -> None:
    rows = ((1_000_000_000, 0.0), (9_000_000_000, 0.0))

    assert [message.due_s for message in Recording(rows, 0).schedule("d", "m", None)] == [0.0, 0.0]


def test_a_message_carries_the_rows_time_and_value() -> None:
    [message] = Recording(((1_386_018_900_000_000, 73.96732207),), 0).schedule("press-7", "temperature", None)

    assert message.topic == "devices/press-7/telemetry"
    assert orjson.loads(message.payload) == {"ts": 1_386_018_900_000, "temperature": 73.96732207}


def test_the_nab_machine_temperature_has_an_hour_twice_and_every_row_gets_a_time_of_its_own() -> None:
    recording = read_recording(MACHINE_TEMPERATURE)

    assert (len(recording.rows), recording.moved) == (22_695, 12)
    assert len({time_us for time_us, _ in recording.rows}) == 22_695
    assert recording.rows[0][0] == datetime(2013, 12, 2, 21, 15, tzinfo=UTC).timestamp() * 1_000_000
