"""The JSON of a message: exact times in a form that a hub cannot misread."""

import pytest

from device_sim.payloads.json_flat import flat_json


@pytest.mark.parametrize(
    ("time_us", "expected"),
    [
        (1_386_018_900_000_000, b'{"ts":1386018900000,"v":73.96732207}'),
        (1_386_018_900_000_001, b'{"ts":"2013-12-02T21:15:00.000001Z","v":73.96732207}'),
        (86_400_000_000, b'{"ts":"1970-01-02T00:00:00Z","v":73.96732207}'),
        (-1, b'{"ts":"1969-12-31T23:59:59.999999Z","v":73.96732207}'),
    ],
    ids=["ms where exact", "ISO 8601 for microseconds", "ISO 8601 where ms look like s", "before the epoch"],
)
def test_any_time_is_written_so_that_it_cannot_be_misread(time_us: int, expected: bytes) -> None:
    assert flat_json(time_us, {"v": 73.96732207}) == expected
