"""Any other topic of an MQTT broker: what a payload is, its octets tell (device-formats section 1).

The first of these that takes all octets wins:

    empty                                        nothing: a retained message is deleted so
    availability                                 the state of a device, see below
    UTF-8, `{` or `[` in front                   SenML if its records carry the labels, else plain JSON
    UTF-8, lines of InfluxDB, each with a time   influx (what Telegraf sends)
    UTF-8 without control characters             one bare value; a topic that ends in a time key holds none
    a CBOR map or array, not UTF-8               SenML if it is an array of maps with its labels, else CBOR

Text comes before CBOR because ASCII often is a CBOR number: `5` is -22 there.

Availability: the last level is one of AVAILABILITY_LEVELS, whatever its case, and the payload says `online` or `offline`,
bare or as `{"state":"online"}`; `true` and `false` count on SWITCH_LEVELS, whose names ask for them. The device is the
topic without that level. A number or another word there is a reading: `status` is a metric for many.
"""

import re
from typing import Final

from hub.telemetry.decoders import cbor, cbor_reader, influx, json, senml, strict_json
from hub.telemetry.decoders.leaves import Leaves
from hub.telemetry.errors import PayloadError
from hub.telemetry.notes import Notes
from hub.telemetry.origin import Origin
from hub.telemetry.scalars import SPACES, number_in
from storage.reading import Reading

AVAILABILITY_LEVELS: Final = frozenset(
    {"status", "state", "availability", "available", "lwt", "online", "connected", "connection"}
)
SWITCH_LEVELS: Final = frozenset({"availability", "available", "lwt", "online", "connected"})
_WORDS: Final = {"online": True, "offline": False}
_SWITCHES: Final = {"true": True, "false": False}
_MAX_AVAILABILITY_OCTETS: Final = 64
_STATE_OBJECT: Final = re.compile(r'\{\s*"state"\s*:\s*"([A-Za-z]+)"\s*\}', re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def decode(body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Decode one payload; see the head of this file and `Decoder`."""
    try:
        text = body.removeprefix(strict_json.BOM).decode()
    except UnicodeDecodeError:
        return _binary(body, origin, received_us, notes)
    plain = text.strip(SPACES)
    if not plain:
        notes.skip("empty")
        return []
    if len(body) <= _MAX_AVAILABILITY_OCTETS and _availability(plain, origin, received_us, notes):
        return []
    if plain[0] == "{":
        return json.decode(body, origin, received_us, notes)
    if plain[0] == "[":
        return _array(body, origin, received_us, notes)
    points = influx.decode_timed(text, origin, received_us, notes)
    return _scalar(plain, origin, received_us, notes) if points is None else points


def _array(body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    document = strict_json.loads(body)
    if senml.is_pack(document):
        return senml.readings_of(document, origin, received_us, notes)
    return json.readings_of(document, origin, received_us, notes)


def _availability(plain: str, origin: Origin, received_us: int, notes: Notes) -> bool:
    """Note the state of a device, and say so, if the message is one."""
    device, _, last = origin.topic.rpartition("/")
    level = last.lower()
    if level not in AVAILABILITY_LEVELS:
        return False
    if origin.device_in_route:
        device = origin.device
    match = _STATE_OBJECT.fullmatch(plain)
    word = (match[1] if match else plain).lower()
    online = _WORDS.get(word)
    if online is None and level in SWITCH_LEVELS:
        online = _SWITCHES.get(word)
    if online is None or not device:
        return False
    notes.state(device, online, "online" if online else "offline", received_us)
    return True


def _scalar(plain: str, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Read one bare value; truth values stay text, as nothing says that they are none (device-formats 0.4)."""
    if _CONTROL.search(plain):
        raise PayloadError("unknown_format", "text with control characters")
    device, metric = origin.scalar_series()
    if not origin.device_in_route and metric in json.TIME_KEYS:
        notes.skip("time")
        return []
    number = number_in(plain)
    leaves = Leaves(origin, received_us, notes)
    leaves.device = device
    leaves.leaf(metric, _unquoted(plain) if number is None else number)
    notes.without_time(len(leaves.readings))
    return leaves.readings


def _unquoted(text: str) -> str:
    """Return what a JSON string says, else the text itself."""
    if text[0] == text[-1] == '"':
        try:
            value = strict_json.loads(text.encode())
        except PayloadError:
            return text
        return value if isinstance(value, str) else text
    return text


def _binary(body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    if not cbor.begins_container(body):
        raise PayloadError("unknown_format", "neither UTF-8 text nor a CBOR map or array")
    try:
        document = cbor_reader.loads(body)
    except PayloadError as error:
        if error.reason in {"not_cbor", "trailing_data"}:
            raise PayloadError("unknown_format", f"neither UTF-8 text nor CBOR: {error.detail}") from None
        raise
    if senml.is_cbor_pack(document):
        return senml.cbor_readings_of(document, origin, received_us, notes)
    return cbor.readings_of(document, origin, received_us, notes)
