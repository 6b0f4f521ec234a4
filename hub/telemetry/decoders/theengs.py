"""OpenMQTTGateway and Theengs Gateway: `<base>/<gateway>/BTtoMQTT/<MAC>`, and its like for other radios.

    home/OMG/BTtoMQTT/A4C138000102   {"id":"A4:C1:38:00:01:02","rssi":-70,"tempc":22.1,"hum":50,"batt":90}

The device is the sensor, by its `id` (else the levels behind the radio, else the gateway), so that two gateways that hear
one sensor speak of the same. Texts describe (name, brand, model); `tempf` repeats what `tempc` says.
"""

from typing import Final

from hub.telemetry.decoders import strict_json
from hub.telemetry.decoders.leaves import Leaves
from hub.telemetry.decoders.row import JSON_OPTIONS, Row, Topics
from hub.telemetry.decoders.strict_json import JsonValue
from hub.telemetry.decoders.text import is_empty, text_of, unquoted
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import JOINT, Origin
from storage.reading import Reading

ONLINE: Final = {"online": True, "offline": False}
DESCRIBE: Final = frozenset(
    {"id", "mac", "mac_type", "adv_type", "name", "brand", "model", "model_id", "type", "cidc", "acts", "cont", "track"}
    | {"prmac", "servicedatauuid", "servicedata", "manufacturerdata", "encr", "ctr", "mic", "cipher", "protocol", "raw"}
)
_UNITS: Final = {
    **dict.fromkeys(("tempc", "tempc2", "tempc3", "tempc4", "tempc5", "tempc6"), "Cel"),
    "tempf": "degF",
    "hum": "%RH",
    "moi": "/100",
    "batt": "%EL",
    "volt": "V",
    "rssi": "dBm",
    "pres": "hPa",
    "lux": "lx",
    "co2": "ppm",
    "pm25": "ug/m3",
    "pm10": "ug/m3",
    "distance": "m",
    "fer": "uS/cm",
    "weight": "kg",
    "power": "W",
    "current": "A",
}
_TEMPERATURES: Final = {"tempf": "tempc", **{f"tempf{number}": f"tempc{number}" for number in range(2, 7)}}


class _Values(Leaves):
    __slots__ = ()

    def unit_of(self, metric: str) -> str:
        return _UNITS.get(metric, "") or super().unit_of(metric)


def decode(body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Decode one message; see the head of this file and `Decoder`."""
    radio, _, behind = origin.rest.partition("/")
    if radio == "LWT":
        word = unquoted(text_of(body, origin, notes)).lower()
        if word in ONLINE:
            notes.state(origin.device, ONLINE[word], word, received_us)
        elif word:
            raise PayloadError("bad_state", f"{word[:40]!r} is neither online nor offline")
        return []
    if radio.startswith(("commands", "MQTTto")):
        notes.skip("command")
        return []
    if is_empty(body) or not body.lstrip().startswith((b"{", b"\xef")):
        notes.skip("metadata")  # the gateway's version and the like
        return []
    document = strict_json.record(body, origin, notes) or {}
    leaves = _Values(origin, received_us, notes)
    leaves.device = _device(document, behind, origin)
    known = {
        key: value for key, value in document.items() if key not in DESCRIBE and _TEMPERATURES.get(key) not in document
    }
    if document.get("encr"):
        notes.skip("encrypted")
    leaves.branch("", known)
    notes.without_time(len(leaves.readings))
    return leaves.readings


def _device(document: dict[str, JsonValue], behind: str, origin: Origin) -> str:
    named = document.get("id")
    device = named if isinstance(named, str) and named else behind.replace("/", JOINT)
    if not device:
        return origin.device
    if device != origin.device and not origin.gateway:
        raise PayloadError("device_mismatch", f"the payload names {device[:80]!r}, the topic {origin.device[:80]!r}")
    return device


_RADIOS: Final = "(?:BT|433|RTL_433|LORA|IR|PiLight|RFM69|Weather|SRFB|2G|SYS|BLE)toMQTT"

ROW: Final = Row(
    "theengs",
    lambda: decode,
    topics=(
        Topics.of("OpenMQTTGateway, Theengs", rf"(?P<device>[^/]+/[^/]+)/(?P<rest>{_RADIOS}(?:/.+)?)"),
        Topics.of(
            "OpenMQTTGateway, Theengs",
            r"(?P<device>home/(?:OMG|OpenMQTTGateway|TheengsGateway)[^/]*)/(?P<rest>LWT|version|commands/.+)",
        ),
    ),
    options=JSON_OPTIONS,
)
