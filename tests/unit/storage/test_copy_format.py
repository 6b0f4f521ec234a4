"""The binary COPY encoder, byte by byte. That Postgres reads it is shown in tests/integration/storage."""

import struct

import numpy as np
import pytest

from storage.copy_format import HEADER, TRAILER, encode_numbers, encode_texts


def test_a_number_row_is_laid_out_as_the_manual_says() -> None:
    data = encode_numbers(np.array([7], np.int32), np.array([946_684_800_000_001]), np.array([21.5]))

    row = struct.pack(">hiiiqid", 3, 4, 7, 8, 1, 8, 21.5)

    assert bytes(data) == HEADER + row + TRAILER


def test_an_empty_batch_is_header_and_trailer() -> None:
    empty = encode_numbers(np.array([], np.int32), np.array([], np.int64), np.array([], np.float64))

    assert bytes(empty) == HEADER + TRAILER == bytes(encode_texts([]))


def test_a_text_row_carries_its_length_in_bytes() -> None:
    data = encode_texts([(1, 946_684_800_000_000, "größe")])

    row = struct.pack(">hiiiqi", 3, 4, 1, 8, 0, 7) + "größe".encode()

    assert bytes(data) == HEADER + row + TRAILER


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        encode_texts([(1, 0, "\ud800")])
