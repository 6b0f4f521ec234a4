"""What a link promises; `mqtt.MqttLink` and `stomp.StompLink` are the two that exist.

- Order: messages of one source are sent in the order they are given, and sent again in that order after a reconnect.
- Acknowledged means the other side took responsibility: PUBACK for MQTT QoS 1, RECEIPT of the burst for STOMP.
- Nothing is dropped: a message stays with the link until it is acknowledged; a lost connection is made again, with
  jittered back-off, for as long as the link is open, and what is unacknowledged is sent again.
- Bounded: at most `window` messages are unacknowledged on a connection, and none wait beside them. `room` says how many
  more are taken; giving more is an error of the caller.
- All calls and call-backs happen on the event loop that ran `start`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from device_sim.message import Message


@dataclass(frozen=True, slots=True)
class LinkEvents:
    """What a link tells its owner."""

    acknowledged: Callable[[Sequence[Message]], None]
    """These messages are the other side's responsibility now; never empty, each message once."""
    room: Callable[[], None]
    """There may be room again: a connection came up, or acknowledgements came."""


class Link(Protocol):
    """A handful of connections that many simulated devices share."""

    @property
    def room(self) -> int:
        """How many messages `send` takes now, whatever their sources; 0 while a connection is down."""
        ...

    @property
    def outstanding(self) -> int:
        """Messages given and not acknowledged."""
        ...

    async def start(self) -> None:
        """Connect; return when every connection stands. Retries until then: cancel it to give up."""
        ...

    def send(self, messages: Sequence[Message]) -> None:
        """Take up to `room` messages; never blocks."""
        ...

    async def close(self) -> None:
        """Say good-bye and end all tasks and threads, within a few seconds; what is unacknowledged stays so."""
        ...
