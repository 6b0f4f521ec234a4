"""Numbers that were sent in 32 bit."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.telemetry.float32 import shortest


@pytest.mark.parametrize("value", [12.1, 0.1, 1e-45, 3.4028235e38, 16777216.0, -0.0, 21.5])
def test_the_number_that_was_meant_comes_back(value: float) -> None:
    (widened,) = struct.unpack("<f", struct.pack("<f", value))

    assert repr(value) == repr(shortest(widened))


@given(st.floats(width=32))
def test_no_digit_is_lost(value: float) -> None:
    assert repr(value) == repr(struct.unpack("<f", struct.pack("<f", shortest(value)))[0])
