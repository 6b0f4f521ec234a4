"""What LoRaWAN network servers have in common: JSON envelopes in protobuf's mapping, uplinks, and the quality of the link.

Protobuf's JSON mapping leaves out what is zero, false or empty (device-formats 11, 12). A signal-to-noise ratio that is
missing is 0 only where the envelope is known to be written so and LoRa measures one: FSK does not. Everywhere else, and in
the payload that a codec made (a Struct keeps its zeros), what is absent is absent.
"""

from typing import Final

from hub.telemetry.decoders.leaves import Leaves
from hub.telemetry.decoders.strict_json import JsonValue
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from storage.reading import Reading

RSSI: Final = ("lorawan.rssi", "dBm")
SNR: Final = ("lorawan.snr", "dB")
PLACE_UNITS: Final = {"latitude": "lat", "longitude": "lon", "altitude": "m"}


def child(record: dict[str, JsonValue], *path: str) -> dict[str, JsonValue]:
    """Return the object under a path of keys, empty where there is none."""
    for key in path:
        value = record.get(key)
        record = value if isinstance(value, dict) else {}
    return record


def number(record: dict[str, JsonValue], key: str, missing: float | None = 0.0) -> float | None:
    """Return a number of the envelope, `missing` where it was left out or is null, which protobuf's mapping takes for that.

    Raises:
        PayloadError: `bad_value`, for anything that is no number.

    """
    value = record.get(key)
    if value is None:
        return missing
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PayloadError("bad_value", f"{key!r} is no number")
    return float(value)


def decoded(values: JsonValue, origin: Origin, device: str, time_us: int, notes: Notes) -> list[Reading] | None:
    """Read what a codec made of an uplink; None where there is none."""
    if not isinstance(values, dict):
        return None
    leaves = Leaves(origin, time_us, notes)
    leaves.device = device
    leaves.branch("", values)
    return leaves.readings


def best_link(
    gateways: JsonValue, device: str, time_us: int, *, missing: float | None, snr_key: str = "snr"
) -> list[Reading]:
    """Return signal strength and signal-to-noise ratio of the gateway that heard the device best: by snr, then by rssi.

    `missing` is what a left out one means.
    """
    heard = [gateway for gateway in gateways if isinstance(gateway, dict)] if isinstance(gateways, list) else []
    worst = float("-inf")
    links = [(number(gateway, snr_key, missing), number(gateway, "rssi", missing)) for gateway in heard]
    if not links:
        return []
    snr, rssi = max(links, key=lambda link: tuple(worst if part is None else part for part in link))
    found = ((RSSI, rssi), (SNR, snr))
    return [Reading(device, name, time_us, value, unit) for (name, unit), value in found if value is not None]


def place(location: dict[str, JsonValue], device: str, time_us: int) -> list[Reading]:
    """Return latitude, longitude and altitude; nothing for a missing or empty location."""
    if not location:
        return []
    values = ((key, number(location, key), unit) for key, unit in PLACE_UNITS.items())
    return [Reading(device, key, time_us, value, unit) for key, value, unit in values if value is not None]
