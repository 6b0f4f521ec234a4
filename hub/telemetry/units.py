"""The spelling of units in storage: the SenML symbols (RFC 8428, 8798), device-formats section 13.

Numbers are never converted, only the spelling is. An unknown unit is kept as sent.
"""

from typing import Final

_SYMBOLS: Final = {
    **dict.fromkeys(("°C", "C", "celsius", "Celsius", "degC", "℃"), "Cel"),
    **dict.fromkeys(("°F", "F", "fahrenheit", "Fahrenheit", "℉"), "degF"),
    **dict.fromkeys(("lux", "Lux"), "lx"),
    **dict.fromkeys(("µg/m³", "µg/m3"), "ug/m3"),
    "mbar": "hPa",
    "VAr": "var",
    "L": "l",
    "m³": "m3",
    "rpm": "1/min",
}
# Two code points are in use for micro (U+00B5, U+03BC) and for ohm (U+03A9, U+2126); º (U+00BA) is meant as °.
_CODE_POINTS: Final = {0x03BC: 0x00B5, 0x2126: 0x03A9, 0x00BA: 0x00B0}


def symbol(unit: str, metric: str) -> str:
    """Return the stored spelling of `unit`; `%` and `°` mean different things by what is measured."""
    plain = unit.strip().translate(_CODE_POINTS)
    name = metric.lower()
    if plain == "%":
        if "humidity" in name:
            return "%RH"
        return "%EL" if "battery" in name else "/100"
    if plain == "°":
        return "lat" if "latitude" in name else "lon" if "longitude" in name else "deg"
    return _SYMBOLS.get(plain, plain)


# What hand-made firmware and rtl_433 write behind the name: `temperature_C`, `wind_m_s`.
_SUFFIXES: Final = {
    **{unit: unit for unit in ("hPa", "kPa", "mm", "V", "mV", "W", "ppm")},
    "C": "Cel",
    "F": "degF",
    "lux": "lx",
}
_SUFFIXES_OF_TWO: Final = {"s": ("_m", "m/s"), "h": ("_km", "km/h")}


def suffix(metric: str) -> str:
    """Return the unit that the end of a metric's name says, empty if it says none."""
    name, _, last = metric.rpartition("_")
    if last in _SUFFIXES_OF_TWO:
        before, unit = _SUFFIXES_OF_TWO[last]
        return unit if name.endswith(before) else ""
    return _SUFFIXES.get(last, "") if name else ""
