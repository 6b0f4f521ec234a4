"""What is known of one edge node: the names, types and aliases of its births, and the state that the births put it in.

    state     event            action          then        a rebirth is asked for
    UNKNOWN   NBIRTH           birth           ONLINE
    UNKNOWN   DBIRTH           device_birth    UNKNOWN     yes
    UNKNOWN   NDATA, DDATA     data            UNKNOWN     yes: their metrics are resolved as far as births are known
    UNKNOWN   DDEATH           device_death    UNKNOWN     yes
    UNKNOWN   NDEATH           death           UNKNOWN
    ONLINE    NBIRTH           birth           ONLINE      births replace, they do not merge
    ONLINE    DBIRTH           device_birth    ONLINE
    ONLINE    NDATA, DDATA     data            ONLINE      where a metric is not in the births
    ONLINE    DDEATH           device_death    ONLINE
    ONLINE    NDEATH           death           UNKNOWN
    any       NDEATH of another bdSeq: the will of an older session; ignored

`STEPS` is this table. Aliases are unique within an edge node: a birth that takes one takes it from whoever had it, so a
metric that was not born again cannot be mistaken for another. Not here: payloads, readings, time.
"""

from collections.abc import Iterable
from enum import Enum
from typing import Final, NamedTuple

from hub.telemetry.decoders.memory import Remembered
from hub.telemetry.decoders.sparkplug.rebirths import Asked
from hub.telemetry.decoders.sparkplug.sequence import Sequence
from hub.telemetry.decoders.sparkplug.topics import Kind

MAX_NODES: Final = 20_000
MAX_METRICS: Final = 500_000  # over all nodes; about 300 bytes each
MAX_METRICS_OF_A_NODE: Final = 50_000  # devices included; a plant's gateway has some thousands


class State(Enum):
    """Where an edge node is in its life, as far as the hub has seen it."""

    UNKNOWN = "unknown"
    ONLINE = "online"


class Action(Enum):
    """What a message does."""

    BIRTH = "birth"
    DEVICE_BIRTH = "device_birth"
    DATA = "data"
    DEVICE_DEATH = "device_death"
    DEATH = "death"


class Step(NamedTuple):
    """One row of the table."""

    action: Action
    then: State
    ask: bool = False


_U, _O = State.UNKNOWN, State.ONLINE
STEPS: Final = {
    (_U, Kind.NBIRTH): Step(Action.BIRTH, _O),
    (_U, Kind.DBIRTH): Step(Action.DEVICE_BIRTH, _U, ask=True),
    (_U, Kind.NDATA): Step(Action.DATA, _U, ask=True),
    (_U, Kind.DDATA): Step(Action.DATA, _U, ask=True),
    (_U, Kind.DDEATH): Step(Action.DEVICE_DEATH, _U, ask=True),
    (_U, Kind.NDEATH): Step(Action.DEATH, _U),
    (_O, Kind.NBIRTH): Step(Action.BIRTH, _O),
    (_O, Kind.DBIRTH): Step(Action.DEVICE_BIRTH, _O),
    (_O, Kind.NDATA): Step(Action.DATA, _O),
    (_O, Kind.DDATA): Step(Action.DATA, _O),
    (_O, Kind.DDEATH): Step(Action.DEVICE_DEATH, _O),
    (_O, Kind.NDEATH): Step(Action.DEATH, _U),
}


class Definition(NamedTuple):
    """What a birth says of a metric."""

    device: str  # empty for the node's own
    name: str
    datatype: int
    alias: int | None
    unit: str
    birth_ms: int | None  # the metric's own timestamp in the birth


class Node(Remembered):
    """One edge node; its parts are metrics and devices.

    `devices` has the metrics by name of the node (under the empty name) and of each device born.
    """

    __slots__ = ("_aliases", "asked", "bd_seq", "bd_seq_alias", "devices", "sequence", "state")

    def __init__(self) -> None:
        super().__init__()
        self.state = State.UNKNOWN
        self.bd_seq: int | None = None
        self.bd_seq_alias: int | None = None
        """By which a death may name bdSeq instead."""
        self.devices: dict[str, dict[str, Definition]] = {}
        self.sequence = Sequence()
        self.asked = Asked()
        self._aliases: dict[int, Definition] = {}

    def owns(self, death: int | None) -> bool:
        """Return whether an NDEATH with this bdSeq ends the session that is known; one without it is believed."""
        return death is None or self.bd_seq is None or death == self.bd_seq

    def born_devices(self) -> list[str]:
        return [device for device in self.devices if device]

    def clear(self) -> None:
        """Forget all births."""
        self.devices.clear()
        self._aliases.clear()
        self.bd_seq = self.bd_seq_alias = None
        self.size = 0

    def bury(self, device: str) -> None:
        """Forget one device's birth."""
        metrics = self.devices.pop(device, None)
        if metrics is not None:
            self.size -= 1 + len(metrics)
            for definition in metrics.values():
                self._release(definition)

    def bear(self, device: str, definitions: Iterable[Definition], limit: int) -> int:
        """Store a birth; return how many of its metrics would let the node grow beyond `limit`."""
        self.bury(device)
        metrics = self.devices[device] = {}
        self.size += 1
        left = min(limit, MAX_METRICS_OF_A_NODE) - self.size
        without_room = 0
        for definition in definitions:
            if definition.name not in metrics:
                if len(metrics) >= left:
                    without_room += 1
                    continue
                self.size += 1
            else:
                self._release(metrics[definition.name])
            metrics[definition.name] = definition
            if definition.alias is not None:
                self._aliases[definition.alias] = definition
        return without_room

    def find(self, device: str, name: str | None, alias: int | None) -> Definition | None:
        """Return what the births say of a metric in a data message of `device`.

        A name is explicit and decides where there is one; an alias that was born for another device does not count.
        """
        if name is not None:
            return self.devices.get(device, {}).get(name)
        definition = None if alias is None else self._aliases.get(alias)
        return definition if definition is not None and definition.device == device else None

    def _release(self, definition: Definition) -> None:
        if definition.alias is not None and self._aliases.get(definition.alias) is definition:
            del self._aliases[definition.alias]
