"""Which texts are numbers."""

import pytest

from hub.telemetry.errors import PayloadError
from hub.telemetry.scalars import number_in


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("25.50", 25.5),
        ("0", 0),
        ("-70.00", -70.0),
        ("+5", 5),
        ("007", 7),
        ("1e3", 1000.0),
        (" 21.5\r\n", 21.5),
        ("18446744073709551615", 2**64 - 1),
        ("-9223372036854775808", -(2**63)),
        ("0" * 5000 + "1", 1),
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
    ("text", "reason"),
    [("18446744073709551616", "integer_range"), ("9" * 5000, "integer_range"), ("1e400", "number_range")],
)
def test_a_number_that_nothing_can_hold_is_refused(text: str, reason: str) -> None:
    with pytest.raises(PayloadError, match=reason):
        number_in(text)
