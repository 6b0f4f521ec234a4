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
        ("º", "wind", "deg"),
        ("ºC", "t", "Cel"),
        ("°", "gps.latitude", "lat"),
        ("°", "longitude", "lon"),
        ("°F", "t", "degF"),
        ("celsius", "t", "Cel"),
        ("degC", "t", "Cel"),
        ("lux", "i", "lx"),
        ("mbar", "p", "hPa"),
        ("VAr", "q", "var"),
        ("L", "v", "l"),
        ("m³", "v", "m3"),
        ("rpm", "n", "1/min"),
        ("m³/h", "flow", "m³/h"),
        *((unit, "x", unit) for unit in ("K", "W", "kW", "Wh", "kWh", "VA", "kVA", "var", "V", "mV", "A", "mA", "Hz")),
        *((unit, "x", unit) for unit in ("dB", "dBm", "s", "ms", "min", "h", "ppm", "ppb", "lx", "hPa", "kPa", "mmHg")),
        *(
            (unit, "x", unit)
            for unit in ("psi", "inHg", "Pa", "m/s", "km/h", "mph", "mm", "cm", "m", "km", "l", "kg", "g")
        ),
    ],
)
def test_the_spelling_becomes_the_senml_symbol(sent: str, metric: str, stored: str) -> None:
    assert symbol(sent, metric) == stored
