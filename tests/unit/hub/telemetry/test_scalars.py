"""Which texts are numbers, and what numbers are stored as."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.telemetry.notes import Notes
from hub.telemetry.scalars import EXACT_INT, as_stored, names, no_value, number_in, shortest


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("25.50", 25.5),
        ("0", 0),
        ("-70.00", -70.0),
        ("+5", 5),
        ("-0", 0),
        ("1.5e3", 1500.0),
        ("1e+03", 1000.0),
        ("9.3e-05", 9.3e-05),
        ("0021.50", 21.5),
        (" 21.5\r\n", 21.5),
        ("9007199254740992", 2**53),
        ("-9007199254740992", -(2**53)),
        ("123456789012345678.5", 123456789012345678.5),
    ],
)
def test_the_grammar_takes_numbers(text: str, number: float) -> None:
    assert number_in(text) == number


@pytest.mark.parametrize(
    "text", ["nan", "inf", "infinity", "1_000", "\uff11\uff12", "23,5", "5.", ".5", "1e", "0x10", "", " ", "1 2", "--1"]
)
def test_what_float_would_take_and_people_write_stays_text(text: str) -> None:
    assert number_in(text) is None


@pytest.mark.parametrize(
    "text", ["0" * 65_536 + "x", "-" + "0" * 65_536 + ".", "9" * 65_536 + "x", "0." + "0" * 65_536 + "x"]
)
def test_a_long_text_that_begins_as_a_number_is_read_once(text: str) -> None:
    """With an expression that goes back the first of these takes four minutes."""
    assert number_in(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "45303034313030333531393532303137",
        "04E98212",
        "04E12",
        "93E2",
        "1e3",
        "0E0",
        "000012300007",
        "007",
        "00",
        "-007",
        "+4915112345678",
        "9007199254740993",
        "18446744073709551616",
        "1.5e400",
        "9" * 5000,
        "0" * 5000 + "1",
    ],
)
def test_digits_of_an_identifier_and_of_what_a_float_would_round_are_text(text: str) -> None:
    assert number_in(text) is None


@pytest.mark.parametrize(
    "text",
    ["", " ", "nan", "NaN", "NAN", "-nan", "nan(ind)", "inf", "-inf", "+Inf", "Infinity", "-Infinity", "1.#QNAN"],
)
def test_what_programs_print_for_no_number_is_no_value(text: str) -> None:
    assert no_value(text)


@pytest.mark.parametrize("text", ["null", "None", "undefined", "N/A", "n/a", "unavailable", "Unknown"])
def test_words_for_no_value_count_whatever_their_case(text: str) -> None:
    assert no_value(text)


@pytest.mark.parametrize("text", ["nano", "infinite", "information", "0", "-", "OFF", "nan" * 10])
def test_other_words_are_values(text: str) -> None:
    assert not no_value(text)


@pytest.mark.parametrize(
    "name",
    ["id", "uid", "RC522.UID", "Meter_ID", "equipment_id", "deviceId", "serial", "serialNumber", "Serial_No", "a.IMEI"],
)
def test_a_name_says_that_it_identifies(name: str) -> None:
    assert names(name)


@pytest.mark.parametrize("name", ["humid", "rapid", "grid", "COVID", "id.value", "serial_errors", "temperature"])
def test_other_names_do_not(name: str) -> None:
    assert not names(name)


@given(st.integers(-(2**70), 2**70))
def test_an_integer_keeps_every_digit(integer: int) -> None:
    notes = Notes()

    stored = as_stored(integer, notes)

    assert int(stored) == integer
    assert isinstance(stored, str) == (abs(integer) > EXACT_INT) == bool(notes.integers_as_text)


@pytest.mark.parametrize("value", [12.1, 0.1, 1e-45, 3.4028235e38, 16777216.0, -0.0, 21.5])
def test_the_number_that_was_meant_comes_back(value: float) -> None:
    (widened,) = struct.unpack("<f", struct.pack("<f", value))

    assert repr(value) == repr(shortest(widened))


@given(st.floats(width=32))
def test_no_digit_is_lost(value: float) -> None:
    assert repr(value) == repr(struct.unpack("<f", struct.pack("<f", shortest(value)))[0])
