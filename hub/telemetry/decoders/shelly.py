"""Shelly Gen2 and later: `<prefix>/events/rpc`, `<prefix>/status/<component>`, `<prefix>/online` (device-formats section 7).

The device is the prefix; a metric is the component as sent and the path in it (`switch:0.apower`). A NotifyStatus holds what
changed and nothing else; so does what is read from it.

The same reading also comes on `status/…`, without a time: it is left out for a prefix whose events/rpc was heard within
ALIVE_US. That time is all that is remembered, of at most MAX_PREFIXES prefixes (memory.py: a stranger evicts none at
work; of a prefix that has no room both ways are read).
"""

from typing import Final

from hub.telemetry import clock
from hub.telemetry.decoders import strict_json
from hub.telemetry.decoders.leaves import Leaves
from hub.telemetry.decoders.memory import Memory, Remembered
from hub.telemetry.decoders.row import JSON_OPTIONS, Row, Topics
from hub.telemetry.decoders.strict_json import JsonValue
from hub.telemetry.decoders.text import text_of, unquoted
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from storage.reading import Reading

ALIVE_US: Final = 3_600_000_000
MAX_PREFIXES: Final = 50_000
# No components with measurements; of the rest, what is no measurement in them.
NO_COMPONENTS: Final = frozenset({"sys", "wifi", "cloud", "mqtt", "ble", "ws", "eth", "ts", "bthome", "knx", "matter"})
NO_KINDS: Final = frozenset({"script", "input_event"})
NO_KEYS: Final = frozenset({"id", "source", "by_minute", "minute_ts", "errors", "flags", "timer_started_at", "tF"})
_UNITS: Final = {
    "apower": "W",
    "act_power": "W",
    "aprt_power": "VA",
    "voltage": "V",
    "current": "A",
    "freq": "Hz",
    "tC": "Cel",
    "rh": "%RH",
    "V": "V",
    "lux": "lx",
    "aenergy.total": "Wh",
    "ret_aenergy.total": "Wh",
    "battery.percent": "%EL",
}
ONLINE: Final = {"true": True, "online": True, "1": True, "false": False, "offline": False, "0": False}
# The units of `em:0` stand behind the phase: a_act_power, total_current; energies of `emdata:0` end in act_energy.
_PHASES: Final = ("a_", "b_", "c_", "n_", "total_")


class Shelly:
    """The decoder of one pipeline."""

    def __init__(self) -> None:
        self._alive = Memory(Remembered, MAX_PREFIXES, 1)  # without parts

    def __call__(self, body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
        """Decode one message; see the head of this file and `Decoder`."""
        kind, _, component = origin.rest.partition("/")
        if kind == "online":
            return _online(body, origin, received_us, notes)
        if kind == "status":
            return self._status(body, component, origin, received_us, notes)
        if origin.rest != "events/rpc":
            raise PayloadError("unknown_topic", f"{origin.rest!r} is no topic of a Shelly that holds readings")
        return self._event(body, origin, received_us, notes)

    def _event(self, body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
        event = strict_json.record(body, origin, notes)
        if event is None:
            return []
        method = event.get("method")
        if not isinstance(method, str):
            raise PayloadError("not_rpc", "there is no method: no JSON-RPC notification")
        self._alive.heard(origin.device, received_us)
        if method not in {"NotifyStatus", "NotifyFullStatus"}:
            notes.skip("event")
            return []
        params = event.get("params")
        if not isinstance(params, dict):
            raise PayloadError("not_rpc", "params is no object")
        time_us = clock.device_time(params.get("ts"), origin, notes, "ts")
        values = _Values(origin, received_us if time_us is None else time_us, notes)
        for name, component in params.items():
            values.component(name, component)
        if time_us is None:
            notes.without_time(len(values.readings))
        return values.readings

    def _status(self, body: bytes, component: str, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
        alive = self._alive.peek(origin.device)
        if alive is not None and received_us - alive.heard_us < ALIVE_US:
            notes.skip("repeated")
            return []
        values = _Values(origin, received_us, notes)
        values.component(component, strict_json.record(body, origin, notes))
        notes.without_time(len(values.readings))
        return values.readings


class _Values(Leaves):
    """Walks the components of one message."""

    __slots__ = ()
    LEFT_OUT = NO_KEYS

    def component(self, name: str, value: JsonValue) -> None:
        if name in NO_COMPONENTS or name.partition(":")[0] in NO_KINDS:
            return
        if isinstance(value, dict):
            self.branch(f"{name}.", value)

    def unit_of(self, metric: str) -> str:
        return unit_of(metric)


def unit_of(metric: str) -> str:
    """Return the unit by the last keys of a metric (Shelly's API), empty for one that has none."""
    path, _, key = metric.rpartition(".")
    for phase in _PHASES:
        key = key.removeprefix(phase)
    if key.endswith(("act_energy", "act_ret_energy")):
        return "Wh"
    return _UNITS.get(key) or _UNITS.get(f"{path.rpartition('.')[2]}.{key}", "")


def _online(body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
    said = text_of(body, origin, notes)
    word = unquoted(said).lower()
    if word in ONLINE:
        notes.state(origin.device, ONLINE[word], "online" if ONLINE[word] else "offline", received_us)
    elif word:
        raise PayloadError("bad_state", f"{said[:40]!r} is neither true nor false")
    else:
        notes.skip("empty")
    return []


# Without `:<n>` only what each Shelly has: `status/temperature` is anybody's.
_COMPONENTS: Final = "[a-z0-9_]+:[0-9]+|sys|wifi|cloud|mqtt|ble|ws|eth"

ROW: Final = Row(
    "shelly",
    Shelly,
    topics=(Topics.of("Shelly Gen2", rf"(?P<device>.+)/(?P<rest>events/rpc|status/(?:{_COMPONENTS})|online)"),),
    options=JSON_OPTIONS,
)
