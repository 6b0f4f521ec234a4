"""Any other topic of an MQTT broker: the bytes of a payload decide what it is (device-formats section 1).

The first of these that takes all bytes wins:

    empty                       nothing: that is how a retained message is deleted
    availability                the state of a device, see below
    the guesses of the registry, in their order, as far as the first byte allows them
    text without control characters    one bare value; a topic that ends in a time key holds none

Text comes before CBOR because ASCII often is a CBOR number: `5` is -22 there.

Availability: the last level is one of AVAILABILITY_LEVELS, whatever its case, and the payload says `online` or `offline`,
bare or as `{"state":"online"}`; `true` and `false` count on SWITCH_LEVELS, whose names ask for them. The device is the
topic without that level. A number or another word there is a reading: `status` is a metric for many.
"""

import re
from collections.abc import Iterable
from typing import Final

from hub.telemetry.decoders import json, strict_json
from hub.telemetry.decoders.leaves import Leaves
from hub.telemetry.decoders.row import Guess, Peek
from hub.telemetry.decoders.strict_json import JsonValue
from hub.telemetry.decoders.text import text_of, unquoted
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from hub.telemetry.scalars import SPACES, names, number_in
from storage.reading import Reading

AVAILABILITY_LEVELS: Final = frozenset(
    {"status", "state", "availability", "available", "lwt", "online", "connected", "connection"}
)
SWITCH_LEVELS: Final = frozenset({"availability", "available", "lwt", "online", "connected"})
_WORDS: Final = {"online": True, "offline": False}
_SWITCHES: Final = {"true": True, "false": False}
_MAX_AVAILABILITY_BYTES: Final = 64
_STATE_OBJECT: Final = re.compile(r'\{\s*"state"\s*:\s*"([A-Za-z]+)"\s*\}', re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class Content:
    """The decoder; it remembers nothing but the guesses by first byte."""

    def __init__(self, guesses: Iterable[Guess]) -> None:
        ordered = sorted(guesses, key=lambda guess: guess.order)
        self._by_first = [
            tuple(guess.read for guess in ordered if not guess.begins or first in guess.begins) for first in range(256)
        ]

    def __call__(self, body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
        """Decode one payload; see the head of this file and `Decoder`."""
        text: str | None
        unread: PayloadError | None = None
        try:
            text = text_of(body, origin, notes)
        except PayloadError as error:
            text, unread = None, error
        if text is not None and notes.tolerated:
            body = text.encode()
        plain = text.strip(SPACES) if text is not None else ""
        if text is not None and not plain:
            notes.skip("empty")
            return []
        if (
            text is not None
            and len(body) <= _MAX_AVAILABILITY_BYTES
            and _availability(plain, origin, received_us, notes)
        ):
            return []
        first = ord(plain[0]) if plain and plain[0].isascii() else body[0]
        guesses = self._by_first[first]
        array: JsonValue = None
        if first == ord("["):
            array = strict_json.loads(body, origin, notes)
        peek = Peek(body, text, array)
        for read in guesses:
            if (readings := read(peek, origin, received_us, notes)) is not None:
                return readings
        if unread is not None:
            raise PayloadError("unknown_format", f"neither text nor CBOR: {unread.detail}")
        return _scalar(plain, origin, received_us, notes)


def _availability(plain: str, origin: Origin, received_us: int, notes: Notes) -> bool:
    """Note the state of a device if the message is one; return whether it is."""
    device, _, last = origin.topic.rpartition("/")
    level = last.lower()
    if level not in AVAILABILITY_LEVELS:
        return False
    if origin.device_in_route:
        device = origin.device
    match = _STATE_OBJECT.fullmatch(plain)
    word = (match[1] if match else unquoted(plain)).lower()
    online = _WORDS.get(word)
    if online is None and level in SWITCH_LEVELS:
        online = _SWITCHES.get(word)
    if online is None or not device:
        return False
    notes.state(device, online, "online" if online else "offline", received_us)
    return True


def _scalar(plain: str, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    """Read one bare value; truth values stay text, as nothing says that they are none (device-formats 0.4)."""
    if control := _CONTROL.search(plain):
        name = "a NUL" if control[0] == "\0" else "a control character"
        raise PayloadError("unknown_format", f"text with {name} at {control.start()}")
    device, metric = origin.scalar_series()
    if not origin.device_in_route and metric in json.TIME_KEYS:
        notes.skip("time")
        return []
    number = None if names(metric) else number_in(plain)
    leaves = Leaves(origin, received_us, notes)
    leaves.device = device
    leaves.leaf(metric, unquoted(plain) if number is None else number)
    notes.without_time(len(leaves.readings))
    return leaves.readings
