"""What LoRaWAN network servers have in common: JSON envelopes in protobuf's mapping, uplinks, and the quality of the link.

Protobuf's JSON mapping leaves out what is zero, false or empty (device-formats 11, 12): a missing `rssi` is 0. Inside the
payload that a codec made (a Struct) zeros are kept, so absence there is absence.
"""

from typing import Final

from hub.telemetry.decoders import strict_json
from hub.telemetry.decoders.strict_json import JsonValue
from hub.telemetry.errors import PayloadError
from storage.reading import Reading

RSSI: Final = ("lorawan.rssi", "dBm")
SNR: Final = ("lorawan.snr", "dB")


def envelope(body: bytes) -> dict[str, JsonValue]:
    """Parse the event; raises PayloadError for what is no JSON object."""
    document = strict_json.loads(body)
    if not isinstance(document, dict):
        raise PayloadError("not_a_record", "the event is no object")
    return document


def child(record: dict[str, JsonValue], key: str) -> dict[str, JsonValue]:
    """Return the object under a key, empty where there is none."""
    value = record.get(key)
    return value if isinstance(value, dict) else {}


def number(record: dict[str, JsonValue], key: str) -> float:
    """Return a number of the envelope, 0 where it was left out or is null, which protobuf's mapping takes for that.

    Raises:
        PayloadError: `bad_value`, for anything that is no number.

    """
    value = record.get(key)
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PayloadError("bad_value", f"{key!r} is no number")
    return float(value)


def best_link(gateways: JsonValue, device: str, time_us: int) -> list[Reading]:
    """Return signal strength and signal-to-noise ratio of the gateway that heard the device best: by snr, then by rssi."""
    heard = [gateway for gateway in gateways if isinstance(gateway, dict)] if isinstance(gateways, list) else []
    if not heard:
        return []
    snr, rssi = max((number(gateway, "snr"), number(gateway, "rssi")) for gateway in heard)
    return [Reading(device, RSSI[0], time_us, rssi, RSSI[1]), Reading(device, SNR[0], time_us, snr, SNR[1])]


def place(location: dict[str, JsonValue], device: str, time_us: int) -> list[Reading]:
    """Return latitude, longitude and altitude; nothing for a location that is not there or says nothing."""
    if not location:
        return []
    units = {"latitude": "lat", "longitude": "lon", "altitude": "m"}
    return [Reading(device, key, time_us, number(location, key), unit) for key, unit in units.items()]
