"""Home Assistant's statestream: `statestream/<domain>/<object id>/<attribute>`, one attribute of an entity a topic.

    statestream/sensor/pump/state                  21.5      device sensor.pump, metric state
    statestream/sensor/pump/unit_of_measurement    "bar"     the unit of state, remembered

Attributes are JSON, so a text stands in quotes; states are as the entity has them. What describes the entity is no reading.
Another base topic takes a route such as `ha/+/+/+` with `device_level = [1, 2]`.
"""

from typing import Final

from hub.telemetry import units
from hub.telemetry.decoders import strict_json
from hub.telemetry.decoders.leaves import Leaves
from hub.telemetry.decoders.memory import Memory, Remembered
from hub.telemetry.decoders.row import JSON_OPTIONS, Row, Topics
from hub.telemetry.decoders.strict_json import JsonValue
from hub.telemetry.decoders.text import is_empty, text_of, unquoted
from hub.telemetry.notes import Notes
from hub.telemetry.origin import Origin
from hub.telemetry.scalars import number_in
from storage.reading import Reading

MAX_ENTITIES: Final = 20_000
UNIT: Final = "unit_of_measurement"
STATE: Final = "state"
DESCRIBE: Final = frozenset(
    {
        "friendly_name",
        "icon",
        "device_class",
        "state_class",
        "attribution",
        "options",
        "entity_picture",
        "supported_features",
    }
    | {
        "assumed_state",
        "restored",
        "editable",
        "entity_id",
        "id",
        "min",
        "max",
        "step",
        "mode",
        "source_type",
        "hidden",
    }
    | {"last_updated", "last_changed", "last_triggered", "last_reset"}
)
_SWITCHED: Final = frozenset({"binary_sensor", "switch", "input_boolean"})
_SWITCH: Final = {"on": True, "off": False}


class Entity(Remembered):
    """What is known of an entity."""

    __slots__ = ("unit",)

    def __init__(self) -> None:
        super().__init__()
        self.unit = ""


class StateStream:
    """The decoder of one pipeline; it remembers units, bounded as memory.py says."""

    def __init__(self) -> None:
        self._entities = Memory(Entity, MAX_ENTITIES, 1)  # without parts

    def __call__(self, body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
        """Decode one message; see the head of this file and `Decoder`."""
        attribute = origin.rest
        if attribute == UNIT:
            notes.skip("metadata")
            unit = unquoted(text_of(body, origin, notes))
            self._entities.heard(origin.device, received_us).unit = units.symbol(unit, origin.device)
            return []
        if attribute in DESCRIBE or is_empty(body):
            notes.skip("metadata" if attribute in DESCRIBE else "empty")
            return []
        leaves = Leaves(origin, received_us, notes)
        entity = self._entities.known(origin.device, received_us) if attribute == STATE else None
        leaves.value(attribute, _value(body, origin, notes), "" if entity is None else entity.unit)
        notes.without_time(len(leaves.readings))
        return leaves.readings


def _value(body: bytes, origin: Origin, notes: Notes) -> JsonValue:
    text = text_of(body, origin, notes)
    if text.lstrip()[:1] in {"{", "["}:
        return strict_json.loads(body, origin, notes)
    word = unquoted(text)
    number = number_in(text)
    if number is not None:
        return number
    if origin.rest == STATE and origin.device.partition(".")[0] in _SWITCHED:
        return _SWITCH.get(word, word)
    return {"true": True, "false": False}.get(word, word)


ROW: Final = Row(
    "statestream",
    StateStream,
    topics=(Topics.of("Home Assistant statestream", r"statestream/(?P<joined>[a-z_]+/[^/]+)/(?P<rest>[^/]+)"),),
    options=JSON_OPTIONS,
    learns_units=True,
)
