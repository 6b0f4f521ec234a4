"""Units are spelt one way."""

import pytest

from hub.telemetry.units import symbol


@pytest.mark.parametrize(
    ("sent", "metric", "stored"),
    [
        ("°C", "t", "Cel"),
        ("%", "Humidity", "%RH"),
        ("%", "battery_level", "%EL"),
        ("%", "load", "/100"),
        ("\u03bcg/m³", "pm25", "ug/m3"),
        ("\u00b5g/m³", "pm25", "ug/m3"),
        ("\u2126", "r", "\u03a9"),
        (" kW ", "power", "kW"),
        ("furlong", "d", "furlong"),
        ("", "x", ""),
    ],
)
def test_the_spelling_becomes_the_senml_symbol(sent: str, metric: str, stored: str) -> None:
    assert symbol(sent, metric) == stored
