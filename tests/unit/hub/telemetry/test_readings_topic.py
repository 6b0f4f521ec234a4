"""Destination and body of a reading."""

from urllib.parse import unquote

import orjson
from hypothesis import given
from hypothesis import strategies as st

from hub.telemetry.readings_topic import Series
from hub.topics.names import as_level

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def test_names_are_one_level_each() -> None:
    assert Series("a/b+c", "50%#").text == "/topic/readings/a%2Fb%2Bc/50%25%23"


def test_plain_names_stay_readable() -> None:
    assert Series("press-7", "env.t ä").text == "/topic/readings/press-7/env.t ä"


@given(NAMES)
def test_an_encoded_name_is_one_literal_level_and_decodes_to_itself(name: str) -> None:
    encoded = as_level(name)

    assert not set("/+#") & set(encoded)
    assert unquote(encoded) == name


@given(NAMES, NAMES, st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.booleans(), NAMES), NAMES)
def test_the_body_is_json_with_everything_in_it(device: str, metric: str, value: float | str, unit: str) -> None:
    series = Series(device, metric)

    body = series.body(1_763_654_400_123_000, value, unit, late=True)

    assert orjson.loads(body) == {
        "device": device,
        "metric": metric,
        "t": "2025-11-20T16:00:00.123Z",
        "v": value,
        "unit": unit,
        "late": True,
    }
    assert series.text.startswith("/topic/readings/")


def test_unit_and_late_stand_only_where_they_say_something() -> None:
    body = Series("d", "m").body(1_763_654_400_000_001, False, "", late=False)

    assert body == b'{"device":"d","metric":"m","t":"2025-11-20T16:00:00.000001Z","v":false}'
