"""Datatypes: every row of device-formats 5.2, both wire forms of negative integers, packed arrays."""

import struct
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.telemetry.decoders.sparkplug import values

SIGNED = {1: 8, 2: 16, 3: 32, 4: 64}
UNSIGNED = {5: 8, 6: 16, 7: 32, 8: 64}


def edges(lowest: int, highest: int) -> st.SearchStrategy[int]:
    near = [lowest, lowest + 1, -1, 0, 1, highest - 1, highest]
    return st.sampled_from([value for value in near if lowest <= value <= highest]) | st.integers(lowest, highest)


@pytest.mark.parametrize(("datatype", "bits"), SIGNED.items())
def test_a_signed_integer_comes_out_of_each_wire_form(datatype: int, bits: int) -> None:
    @given(edges(-(1 << (bits - 1)), (1 << (bits - 1)) - 1))
    def check(value: int) -> None:
        forms = {"long_value": {value % (1 << bits), value % (1 << 64)}}
        if bits < 64:
            forms["int_value"] = {value % (1 << bits), value % (1 << 32)}
        for field, wires in forms.items():
            for wire in wires:
                assert value == values.scalar(datatype, field, wire)

    check()


@pytest.mark.parametrize(("datatype", "bits"), UNSIGNED.items())
def test_an_unsigned_integer_comes_out_of_either_field(datatype: int, bits: int) -> None:
    @given(edges(0, (1 << bits) - 1))
    def check(value: int) -> None:
        for field in ("long_value",) if bits == 64 else ("int_value", "long_value"):
            assert value == values.scalar(datatype, field, value)

    check()


def test_the_two_forms_of_minus_10_of_the_handbook() -> None:
    assert [-10, -10] == [values.scalar(2, "int_value", wire) for wire in (65526, 4294967286)]


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_is_the_shortest_decimal_that_means_it(value: float) -> None:
    read = values.scalar(9, "float_value", value)

    assert isinstance(read, float)
    assert struct.pack("<f", value) == struct.pack("<f", read)
    # Not the length of the text: 1e11 is shorter than 99999997952.0, and Python writes it with all its zeros.
    assert _digits(read) <= _digits(value)


def _digits(value: float) -> int:
    return len(Decimal(repr(value)).normalize().as_tuple().digits)


@pytest.mark.parametrize(
    ("datatype", "field", "raw", "value"),
    [
        (9, "float_value", 12.100000381469727, 12.1),
        (9, "double_value", 12.5, 12.5),
        (10, "double_value", 12.100000381469727, 12.100000381469727),
        (11, "boolean_value", False, False),
        (12, "string_value", "", ""),
        (13, "long_value", 1_486_144_502_122, 1_486_144_502_122),
        (14, "string_value", "text", "text"),
        (15, "string_value", "669f3a", "669f3a"),
    ],
)
def test_the_other_types(datatype: int, field: str, raw: values.Scalar, value: values.Scalar) -> None:
    read = values.scalar(datatype, field, raw)

    assert (type(value), value) == (type(read), read)


@pytest.mark.parametrize(("datatype", "row"), values.TYPES.items())
def test_a_type_refuses_the_fields_of_others(datatype: int, row: values.Type) -> None:
    fields = {"int_value", "long_value", "float_value", "double_value", "boolean_value", "string_value", "bytes_value"}
    for field in fields - set(row.fields):
        with pytest.raises(ValueError, match=field):
            values.scalar(datatype, field, 1)


def test_every_number_of_the_specification_is_known_and_no_other() -> None:
    metrics = {*range(1, 20), *range(22, 35)}  # 20 and 21 are of properties

    assert metrics == {number for number in range(100) if values.known(number)}


@pytest.mark.parametrize(
    ("datatype", "raw", "elements"),
    [
        (22, b"\xff\x7f", [-1, 127]),
        (23, b"\xf6\xff", [-10]),
        (24, b"\xff\xff\xff\xff\1\0\0\0", [-1, 1]),
        (25, b"\xff" * 8, [-1]),
        (26, b"\xff", [255]),
        (27, b"\xff\xff", [65535]),
        (28, b"\xff" * 4, [2**32 - 1]),
        (29, b"\xff" * 8, [2**64 - 1]),
        (30, bytes.fromhex("9a994141"), [12.1]),
        (31, struct.pack("<d", 0.1), [0.1]),
        # The specification's examples for arrays of truth values and of texts.
        (32, bytes.fromhex("0c00000034d0"), [bool(int(bit)) for bit in "001101001101"]),
        (33, b"ABC\0hello\0", ["ABC", "hello"]),
        (33, b"a\0\0\xc3\xa9\0", ["a", "", "é"]),
        (34, struct.pack("<q", 1_486_144_502_122), [1_486_144_502_122]),
        (24, b"", []),
        (33, b"", []),
    ],
)
def test_packed_arrays(datatype: int, raw: bytes, elements: list[values.Scalar]) -> None:
    read = values.elements(datatype, raw)

    assert len(elements) <= values.count(datatype, raw) < len(elements) + 8
    assert elements == read
    assert [type(element) for element in elements] == [type(element) for element in read]


@pytest.mark.parametrize(
    ("datatype", "raw"),
    [(23, b"\1"), (32, b"\1\0\0"), (32, b"\1\0\0\0"), (32, b"\xff\xff\xff\xff\1"), (33, b"a"), (33, b"\xff\0")],
)
def test_arrays_that_are_cut_are_refused(datatype: int, raw: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        values.elements(datatype, raw)


@given(st.sampled_from(sorted(values.ARRAY_TYPES)), st.binary(max_size=64))
def test_nothing_but_value_errors_escapes_from_an_array(datatype: int, raw: bytes) -> None:
    try:
        values.elements(datatype, raw)
    except ValueError:
        return
