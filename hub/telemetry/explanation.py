"""Why a message became these readings, or none: for `telemetry-hub explain`, and for those who watch a topic live.

Somebody who subscribes to `/topic/$SYS/explain/<topic>` (filters as everywhere) gets, for each message that arrives on the
topic, one JSON object with what took it and what came out. It is built only when somebody watches.

    {"topic":"tele/t1/SENSOR","bridged":true,"retained":false,"outcome":"readings",
     "route":"Tasmota","decoder":"tasmota","device":"t1",
     "readings":[{"device":"t1","metric":"DS18B20.Temperature","t":"…","v":20.6,"unit":"Cel"}],
     "readings_without_time":0,"like_a_time":[],"old_state":0,"skipped":{"no_value":1},"tolerated":{"nul":1},
     "faults":[["clock","…"]],"conflicts":["…"],"states":[…],"commands":[…],"reason":"","detail":""}

`outcome`: `readings`; `nothing` (understood, holds none); `quarantine` (refused, or refused in parts); `no route`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from hub.telemetry.clock import from_number, from_text, iso_utc
from hub.telemetry.notes import Notes, PayloadError
from storage.device_state import DeviceState
from storage.reading import Reading

EXPLAIN_LEVEL: Final = "$SYS"
PREFIX: Final = f"{EXPLAIN_LEVEL}/explain/"
_TIME_NAME: Final = re.compile(
    r"(?:^|[._-])(?:ts|tst|time|timestamp|time_?stamp|date_?time|datetime|date|epoch|utc|at|dt)$|(?:Time|Date|At|Stamp)$"
    r"|^(?:time|date)[A-Z_]",
    re.ASCII | re.IGNORECASE,
)
MAX_READINGS: Final = 200  # a payload may hold 10,000; who explains one wants to see its shape


@dataclass(slots=True)
class Explanation:
    """What became of one message."""

    topic: str
    bridged: bool
    retained: bool = False
    route: str = ""
    decoder: str = ""
    device: str = ""
    readings: Sequence[Reading] = ()
    notes: Notes = field(default_factory=Notes)
    refused: tuple[str, str] = ("", "")
    """Reason and detail of the refusal of the whole payload."""

    @property
    def outcome(self) -> str:
        """Return the outcome, one or two words."""
        if not self.route:
            return "no route"
        if self.refused[0] or self.notes.faults:
            return "quarantine"
        return "readings" if self.readings or self.notes.historical or self.notes.transient else "nothing"

    def _like_a_time(self) -> list[str]:
        """Return the metrics of a message without a device time that look like one: nobody told the decoder."""
        if not self.notes.untimed:
            return []
        named = (reading for reading in self.readings if _TIME_NAME.search(reading.metric))
        return [reading.metric for reading in named if _is_a_time(reading.value)][:MAX_READINGS]

    def body(self) -> bytes:
        """Return it as one JSON object."""
        notes = self.notes
        reason, detail = self.refused
        document: dict[str, Any] = {
            "topic": self.topic,
            "bridged": self.bridged,
            "retained": self.retained,
            "outcome": self.outcome,
            "route": self.route,
            "decoder": self.decoder,
            "device": self.device,
            "readings": [
                *(_shown(reading) for reading in self.readings[:MAX_READINGS]),
                *(_shown(reading) | {"historical": True} for reading in notes.historical[:MAX_READINGS]),
                *(_shown(reading) | {"transient": True} for reading in notes.transient[:MAX_READINGS]),
            ],
            "readings_without_time": notes.untimed,
            "like_a_time": self._like_a_time(),
            "old_state": notes.old_state,
            "skipped": notes.skipped,
            "tolerated": notes.tolerated,
            "faults": notes.faults,
            "conflicts": notes.conflicts,
            "states": [_shown_state(state) for state in notes.states],
            "commands": [{"topic": command.topic, "bytes": len(command.payload)} for command in notes.commands],
            "reason": reason,
            "detail": detail,
        }
        return orjson.dumps(document)


def _is_a_time(value: float | str) -> bool:
    try:
        if isinstance(value, bool):
            return False
        return (from_text(value) if isinstance(value, str) else from_number(value)) is not None
    except PayloadError:
        return False


def _shown(reading: Reading) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "device": reading.device,
        "metric": reading.metric,
        "t": _time(reading.time_us),
        "v": reading.value,
    }
    return shown | ({"unit": reading.unit} if reading.unit else {})


def _shown_state(state: DeviceState) -> dict[str, Any]:
    return {"device": state.device, "online": state.online, "state": state.state, "t": _time(state.time_us)}


def _time(time_us: int) -> str:
    try:
        return iso_utc(time_us)
    except OverflowError:  # refused for that; the explanation must not fail because of it
        return f"{time_us} µs"
