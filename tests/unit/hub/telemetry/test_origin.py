"""Device and metric of a bare value."""

import pytest

from hub.telemetry.origin import Origin


@pytest.mark.parametrize(
    ("topic", "series"),
    [
        ("/sonoff03/dht22/temperature", ("/sonoff03/dht22", "temperature")),
        ("rtl_433//FT-004B/temperature_C", ("rtl_433//FT-004B", "temperature_C")),
        ("lonely", ("lonely", "value")),
        ("/lonely", ("/lonely", "value")),
    ],
)
def test_without_a_device_in_the_route_the_last_level_is_the_metric(topic: str, series: tuple[str, str]) -> None:
    assert Origin(topic, topic, device_in_route=False).scalar_series() == series


def test_the_routes_device_keeps_its_name() -> None:
    assert Origin("devices/press-7/telemetry", "press-7").scalar_series() == ("press-7", "value")
