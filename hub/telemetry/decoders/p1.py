r"""P1 readers: what a smart meter says on its port, as DSMR-reader, DSMR-API dongles and plain forwarders publish it.

    dsmr/reading/electricity_delivered_1     1234.567                                           one value a topic
    dsmr/json                                {"timestamp":…,"electricity_delivered_1":"1234.567",…}
    DSMR-API/power_delivered                 {"power_delivered":[{"value":0.31,"unit":"kW"}]}
    any topic                                /ISK5\2M550E-1013 … 1-0:1.8.1(001234.567*kWh) …    a telegram

The device is the first level; of a telegram the topic. Numbers in text are numbers here, identifiers stay text. The metrics
of a telegram are its OBIS codes, its time is 0-0:1.0.0, in the meter's zone with W or S for winter and summer.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from hub.telemetry import clock, units
from hub.telemetry.decoders import strict_json
from hub.telemetry.decoders.leaves import Leaves
from hub.telemetry.decoders.row import TEXT_OPTIONS, Guess, Peek, Row, Topics
from hub.telemetry.decoders.strict_json import JsonValue
from hub.telemetry.decoders.text import is_empty, text_of, unquoted
from hub.telemetry.notes import Notes
from hub.telemetry.origin import JOINT, Origin
from hub.telemetry.scalars import names, number_in
from storage.reading import Reading

TIME_KEYS: Final = ("timestamp", "read_at")
_OBIS: Final = re.compile(
    r"^([0-9]-[0-9]{1,2}:[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3})((?:\([^()\r\n]*\))+)", re.MULTILINE | re.ASCII
)
_VALUE: Final = re.compile(r"\(([^()]*)\)")
_MEASURED: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\*([A-Za-z0-9]+)", re.ASCII)
_STAMP: Final = re.compile(r"([0-9]{12})([WS])", re.ASCII)
_CLOCK: Final = "0-0:1.0.0"
# What a telegram holds beside measurements: versions, identifiers, texts for people.
_DESCRIBE: Final = re.compile(
    r"1-3:0\.2\.8|0-0:96\.1\.(?:0|1|4)|0-[1-9]:96\.1\.[0-9]+|0-[1-9]:24\.1\.0|0-0:96\.13\.[01]", re.ASCII
)
_CENTRAL_EUROPE: Final = {"W": timezone(timedelta(hours=1)), "S": timezone(timedelta(hours=2))}


class _Values(Leaves):
    __slots__ = ()

    def text(self, metric: str, text: str) -> str | float | bool | None:
        read = super().text(metric, text)
        number = number_in(read) if isinstance(read, str) and not names(metric) else None
        return read if number is None else number


def decode(body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Decode one message; see the head of this file and `Decoder`."""
    if is_empty(body):
        notes.skip("empty")
        return []
    text = text_of(body, origin, notes)
    if (telegram := _telegram(text, origin, received_us, notes)) is not None:
        return telegram
    leaves = _Values(origin, received_us, notes)
    metric = origin.rest.replace("/", JOINT)
    time_us = None
    if text.lstrip()[:1] in {"{", "["}:
        document = strict_json.loads(body, origin, notes)
        if isinstance(document, dict):
            stated = next(
                (document[key] for key in TIME_KEYS if isinstance(document.get(key), str | int | float)), None
            )
            time_us = clock.device_time(stated, origin, notes, "timestamp")
            leaves.time_us = received_us if time_us is None else time_us
            for key, value in document.items():
                if key not in TIME_KEYS:
                    leaves.value(key, *_unwrapped(value))
        else:
            leaves.value(metric, document)
    elif origin.rest.rpartition("/")[2] in TIME_KEYS:
        notes.skip("time")
    else:
        leaves.leaf(metric, unquoted(text))
    if time_us is None:
        notes.without_time(len(leaves.readings))
    return leaves.readings


def _unwrapped(value: JsonValue) -> tuple[JsonValue, str]:
    """Return value and unit of what DSMR-API wraps: an array of one object with both."""
    match value:
        case [{"value": inner, **rest}] if rest.keys() <= {"unit"}:
            unit = rest.get("unit")
            return inner, units.symbol(unit, "") if isinstance(unit, str) else ""
    return value, ""


def _telegram(text: str, origin: Origin, received_us: int, notes: Notes) -> list[Reading] | None:
    """Read a telegram; None for any other text."""
    if not text.startswith("/") or (found := _OBIS.findall(text)) == []:
        return None
    stated = next((_moment(values) for code, values in found if code == _CLOCK), None)
    time_us = None if origin.ignore_time else stated
    leaves = _Values(origin, received_us if time_us is None else time_us, notes)
    for code, values in found:
        if _DESCRIBE.fullmatch(code):
            notes.skip("metadata")
        elif code != _CLOCK:
            last = _VALUE.findall(values)[-1]  # M-Bus devices put the time of their reading in front
            measured = _MEASURED.fullmatch(last)
            value = number_in(measured[1] if measured else last, declared=True)
            leaves.leaf(
                f"{origin.prefix}{code}",
                last if value is None else value,
                units.symbol(measured[2], code) if measured else "",
            )
    if time_us is None:
        notes.without_time(len(leaves.readings))
    return leaves.readings


def _moment(values: str) -> int | None:
    stamp = _STAMP.fullmatch(values.strip("()"))
    if stamp is None:
        return None
    try:
        moment = datetime.strptime(stamp[1], "%y%m%d%H%M%S").replace(tzinfo=_CENTRAL_EUROPE[stamp[2]])
    except ValueError:
        return None
    return round(moment.astimezone(UTC).timestamp()) * 1_000_000


def _guess(peek: Peek, origin: Origin, received_us: int, notes: Notes) -> list[Reading] | None:
    return None if peek.text is None else _telegram(peek.text, origin, received_us, notes)


_PARTS: Final = "reading|consumption|day-consumption|day-totals|current-month|current-year|current-period|meter-stats"

ROW: Final = Row(
    "p1",
    lambda: decode,
    topics=(
        Topics.of("DSMR-reader", rf"(?P<device>dsmr)/(?P<rest>(?:{_PARTS})/.+|json|telegram|raw)"),
        Topics.of("DSMR-API", r"(?P<device>DSMR-API)/(?P<rest>[^/]+)"),
        Topics.of("P1 meter", r"(?P<device>sensors/power/p1meter)/(?P<rest>[^/]+)"),
    ),
    guess=Guess(25, b"/", _guess),
    options=TEXT_OPTIONS | {"zone"},
)
