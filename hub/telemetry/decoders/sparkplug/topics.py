"""Sparkplug B's topics: `spBv1.0/<group>/<type>/<node>[/<device>]` (device-formats section 5.1).

Levels in front of `spBv1.0`, which a broker that bridges from another may add, are kept for the commands: they go back the
same way. Group, node and device may be any text without `/`, `+`, `#`.
"""

from enum import Enum
from typing import Final, NamedTuple

from hub.telemetry.notes import PayloadError

NAMESPACE: Final = "spBv1.0"
_HOST_STATE: Final = "STATE"


class Kind(Enum):
    """What a topic carries."""

    NBIRTH = "NBIRTH"
    DBIRTH = "DBIRTH"
    NDATA = "NDATA"
    DDATA = "DDATA"
    NDEATH = "NDEATH"
    DDEATH = "DDEATH"
    NCMD = "NCMD"
    DCMD = "DCMD"
    STATE = "STATE"


OF_DEVICES: Final = frozenset({Kind.DBIRTH, Kind.DDATA, Kind.DDEATH, Kind.DCMD})
COMMANDS: Final = frozenset({Kind.NCMD, Kind.DCMD})
_KINDS: Final = {kind.value: kind for kind in Kind if kind is not Kind.STATE}


class Address(NamedTuple):
    """One topic, read. `node` is `<group>/<node>`, `device` is empty where the node itself is meant."""

    kind: Kind
    node: str
    device: str = ""
    prefix: str = ""

    @property
    def command_topic(self) -> str:
        """Return where a command to the edge node is published."""
        group, _, node = self.node.partition("/")
        return f"{self.prefix}{NAMESPACE}/{group}/NCMD/{node}"


def parse(topic: str) -> Address:
    """Read a topic; raise PayloadError `unknown_topic` for one that Sparkplug does not have."""
    prefix, found, path = topic.rpartition(f"{NAMESPACE}/")
    levels = path.split("/")
    if levels[0] == _HOST_STATE and len(levels) == 2:  # a host application; before version 3 without the namespace
        return Address(Kind.STATE, levels[1])
    kind = _KINDS.get(levels[1]) if found and len(levels) > 2 else None
    if kind is not None and len(levels) == (4 if kind in OF_DEVICES else 3) and all(levels):
        return Address(kind, f"{levels[0]}/{levels[2]}", levels[3] if kind in OF_DEVICES else "", prefix)
    raise PayloadError("unknown_topic", "Sparkplug's are spBv1.0/<group>/<type>/<node>[/<device>]")
