"""ESPHome: `<prefix>/<component type>/<object id>/state`, one bare text (device-formats section 9), and Home Assistant
discovery (`homeassistant/…/config`), which says the units of such topics.

The device is the prefix, the metric `<component type>.<object id>`. No payload has a time. Of templates in discovery only
`{{ value }}` and `{{ value_json.key }}` are understood, literally: templates are code. A unit of any other is not known.
What is measured or set in numbers below a thermostat, cover, fan or valve (`…/climate/hvac/current_temperature/state`) is a
number; their states and modes are words.

Remembered are the units of at most MAX_TOPICS discoveries, MAX_TOPICS_OF_A_NODE of one node, MAX_DISCOVERIES_OF_A_TOPIC of
one state topic; an empty discovery forgets its own. `full` means that those go first on whose state topic nothing came for
QUIET_US after the discovery, and while there are none new ones are not remembered: nobody evicts a device at work, and
nodes that were made up do not hold the room for ever.
"""

import re
from typing import Final, NamedTuple

from hub.telemetry import units
from hub.telemetry.decoders import strict_json
from hub.telemetry.decoders.leaves import Leaves
from hub.telemetry.decoders.memory import QUIET_US
from hub.telemetry.decoders.row import JSON_OPTIONS, Row, Topics
from hub.telemetry.decoders.strict_json import JsonValue
from hub.telemetry.decoders.text import text_of, unquoted
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from hub.telemetry.scalars import no_value, number_in
from hub.telemetry.validation import name_fault, unit_fault
from storage.reading import Reading

MAX_TOPICS: Final = 100_000
MAX_TOPICS_OF_A_NODE: Final = 1_000
MAX_DISCOVERIES_OF_A_TOPIC: Final = 200  # keys of one state's JSON; each message on it looks at all
ONLINE: Final = {"online": True, "offline": False}
BOOLEANS: Final = frozenset({"binary_sensor", "switch", "fan"})
TEXTS: Final = frozenset({"cover", "lock", "select", "text_sensor", "alarm_control_panel", "valve", "climate", "event"})
WITH_PARTS: Final = frozenset({"climate", "cover", "fan", "valve"})
"""Component types that have topics of their own for what they measure: `<object id>/<part>/state`."""
_WORDS: Final = re.compile(r"(?:custom_)?(?:mode|action|fan_mode|swing_mode|preset|direction|oscillation)", re.ASCII)
_SWITCH: Final = {"ON": True, "OFF": False}
_TEMPLATE: Final = re.compile(r"\{\{ ?value(?:_json\.([A-Za-z0-9_]{1,64}))? ?\}\}", re.ASCII)


class Announced(NamedTuple):
    """What one discovery says: the key in the state's JSON, empty for the whole; the unit; who said so."""

    key: str
    unit: str


class EspHome:
    """The decoder of one pipeline."""

    def __init__(self, max_topics: int = MAX_TOPICS) -> None:
        self._max_topics = max_topics
        self._announced: dict[str, dict[str, Announced]] = {}  # state topic -> discovery topic -> what it said
        self._topics: dict[str, str] = {}  # discovery topic -> state topic
        self._of_node: dict[str, int] = {}
        self._unused: dict[
            str, int
        ] = {}  # discovery topic -> when it came, the oldest first; without those that were used

    def __call__(self, body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
        """Decode one message; see the head of this file and `Decoder`."""
        kind, _, name = origin.rest.partition("/")
        if origin.rest.endswith("/config"):
            self._discovery(body, origin, received_us, notes)
        elif not origin.device_in_route:
            raise PayloadError("unknown_topic", f"{origin.topic[:80]!r} is no topic of ESPHome that holds readings")
        elif kind == "debug":
            notes.skip("log")
        elif origin.rest.endswith("/command"):
            notes.skip("command")
        elif kind == "status":
            _status(text_of(body, origin, notes), origin, received_us, notes)
        elif not body:
            notes.skip("empty")
        elif name.endswith("/state"):
            return self._state(body, kind, name.removesuffix("/state"), origin, received_us, notes)
        else:
            raise PayloadError("unknown_topic", f"{origin.rest[:80]!r} is no topic of ESPHome that holds readings")
        return []

    def _state(
        self, body: bytes, kind: str, name: str, origin: Origin, received_us: int, notes: Notes
    ) -> list[Reading]:
        leaves = Leaves(origin, received_us, notes)
        metric = f"{kind}.{name}"
        discoveries = self._announced.get(origin.topic, {})
        said = {announced.key: announced.unit for announced in discoveries.values()}
        for discovery in discoveries:
            self._unused.pop(discovery, None)
        if body.lstrip()[:1] == b"{":
            document = strict_json.loads(body, origin, notes)
            if isinstance(document, dict):
                for key, value in document.items():
                    leaves.value(f"{metric}.{key}", _truth(value) if key == "state" else value, said.get(key, ""))
        else:
            part = name.rpartition("/")[2] if "/" in name else ""
            leaves.leaf(metric, *_bare(unquoted(text_of(body, origin, notes)), kind, part, said.get("", "")))
        notes.without_time(len(leaves.readings))
        return leaves.readings

    def _discovery(self, body: bytes, origin: Origin, received_us: int, notes: Notes) -> None:
        notes.skip("discovery")
        self._forget(origin.topic)
        if not body:
            return
        document = strict_json.loads(body, origin, notes)
        if not isinstance(document, dict):
            raise PayloadError("bad_description", "the discovery is no object")
        topic = _text(document, "state_topic", "stat_t")
        unit = _text(document, "unit_of_measurement", "unit_of_meas")
        if not topic or not unit:
            return
        base = _text(document, "~")
        if topic.startswith("~"):
            topic = f"{base}{topic[1:]}"
        elif topic.endswith("~"):
            topic = f"{topic[:-1]}{base}"
        template = _TEMPLATE.fullmatch(_text(document, "value_template", "val_tpl") or "{{ value }}")
        about = f"{topic} {_text(document, 'device_class', 'dev_cla')}"
        symbol = units.symbol(unit, about)
        if unit_fault(symbol) or name_fault(topic):
            raise PayloadError(
                "bad_description", "the unit or the state's topic is too long or holds control characters"
            )
        if template is not None:
            self._remember(origin.topic, topic, Announced(template[1] or "", symbol), received_us, notes)

    def _remember(self, discovery: str, topic: str, announced: Announced, received_us: int, notes: Notes) -> None:
        self._forget_one_unused(received_us)
        node = _node(discovery)
        used = self._of_node.get(node, 0)
        on_topic = len(self._announced.get(topic, ()))
        if (
            len(self._topics) >= self._max_topics
            or used >= MAX_TOPICS_OF_A_NODE
            or on_topic >= MAX_DISCOVERIES_OF_A_TOPIC
        ):
            notes.fault("too_many_metrics", "the units of the node cannot be remembered")
            return
        self._of_node[node] = used + 1
        self._topics[discovery] = topic
        self._unused[discovery] = received_us
        self._announced.setdefault(topic, {})[discovery] = announced

    def _forget_one_unused(self, received_us: int) -> None:
        if len(self._topics) >= self._max_topics and self._unused:
            discovery, came_us = next(iter(self._unused.items()))
            if received_us - came_us >= QUIET_US:
                self._forget(discovery)

    def _forget(self, discovery: str) -> None:
        self._unused.pop(discovery, None)
        topic = self._topics.pop(discovery, None)
        if topic is None:
            return
        self._announced[topic].pop(discovery)
        if not self._announced[topic]:
            del self._announced[topic]
        node = _node(discovery)
        self._of_node[node] -= 1
        if not self._of_node[node]:
            del self._of_node[node]


def _node(discovery: str) -> str:
    """Return the level of the topic that names the node: <prefix>/<type>/<node>/[<object>/]config."""
    return discovery.split("/")[2] if discovery.count("/") > 1 else discovery


def _truth(value: JsonValue) -> JsonValue:
    return _SWITCH.get(value, value) if isinstance(value, str) else value


def _bare(text: str, kind: str, part: str, unit: str) -> tuple[str | float | None, str]:
    if no_value(text):
        return None, ""
    if kind in BOOLEANS and not part and text in _SWITCH:
        return _SWITCH[text], ""
    measured = kind in WITH_PARTS and part and not _WORDS.fullmatch(part)
    if kind in TEXTS and not measured:
        return text, ""
    number = number_in(text)
    return (text, "") if number is None else (number, unit)


def _status(word: str, origin: Origin, received_us: int, notes: Notes) -> None:
    state = unquoted(word).lower()
    if not state:
        notes.skip("empty")
    elif state in ONLINE:
        notes.state(origin.device, ONLINE[state], state, received_us)
    else:
        raise PayloadError("bad_state", f"{word[:40]!r} is neither online nor offline")


def _text(document: dict[str, JsonValue], *keys: str) -> str:
    """Return the first of the keys, long or short, that holds a text."""
    return next((value for value in map(document.get, keys) if isinstance(value, str)), "")


_TYPES: Final = "sensor|number|light|" + "|".join(sorted(TEXTS | BOOLEANS))

ROW: Final = Row(
    "esphome",
    EspHome,
    topics=(
        Topics.of("Home Assistant discovery", r"homeassistant/(?P<rest>.+/config)"),
        Topics.of("ESPHome", rf"(?P<device>.+?)/(?P<rest>(?:{_TYPES})/.+/(?:state|command))"),
        Topics.of("ESPHome", r"(?P<device>.+)/(?P<rest>debug)"),
    ),
    options=JSON_OPTIONS,
    learns_units=True,
)
