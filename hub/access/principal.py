"""What somebody may do: the one place that decides.

Everybody who is let in may read everything and publish everywhere, but on what the hub itself publishes: `readings/…` and
`$SYS/…`, the names themselves included. A bridge may report its own state below `$SYS/bridge/`, and may be a consumer, for
whose ACK receipts wait.
"""

from typing import Final, NamedTuple

from hub.topics.bridging import is_reserved
from hub.topics.destinations import Destination, Kind
from hub.topics.names import as_level

BRIDGE_STATUS: Final = "$SYS/bridge/"


class Principal(NamedTuple):
    """Somebody who was let in."""

    login: str  # empty: nobody had to log in
    bridge: str | None = None  # the name of the bridge that it is

    def may_send(self, destination: Destination) -> bool:
        """Whether it may publish there."""
        if destination.kind is not Kind.TOPIC or not is_reserved(destination.name):
            return True
        return self.bridge is not None and destination.name == bridge_status(self.bridge)

    def may_subscribe(self, destination: Destination, *, confirms: bool = False) -> bool:
        """Whether it may get messages from there; with `confirms`, so that receipts wait for its ACKs."""
        return not confirms or (self.bridge is not None and destination.kind is Kind.TOPIC)


def bridge_status(name: str) -> str:
    """Return the topic on which a bridge reports its state; its name is always one level."""
    return f"{BRIDGE_STATUS}{as_level(name)}"
