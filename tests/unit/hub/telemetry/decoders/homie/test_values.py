"""What a property's text means never depends on Python's own idea of numbers."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from hub.telemetry.decoders.homie.values import TEXT_TYPES, value_of
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin


def read(body: bytes, datatype: str) -> int | float | bool | str | None:
    return value_of(body, datatype, Origin("t", "t"), Notes())


DATATYPES = st.sampled_from(["", "integer", "float", "boolean", "percent", *sorted(TEXT_TYPES)])


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_comes_back_as_it_was_written(number: float) -> None:
    assert number == read(repr(number).encode(), "float")


@given(st.integers(-(2**70), 2**70))
def test_an_integer_comes_back_as_it_was_written(number: int) -> None:
    value = read(str(number).encode(), "integer")

    assert number == value
    assert isinstance(value, int)


@given(st.binary(max_size=40) | st.text(alphabet="0123456789.eE+-_ \0٣", max_size=12).map(str.encode), DATATYPES)
def test_nothing_but_payload_errors_escapes(body: bytes, datatype: str) -> None:
    with contextlib.suppress(PayloadError):
        value = read(body, datatype)

        assert value is None or isinstance(value, int | float | bool | str)
