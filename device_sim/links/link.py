"""What a link promises: `devices` (a connection each) and `shared` (a few for all) keep it.

- Order: messages of one source are sent in the order in which they are handed over, after a reconnect too.
- Acknowledged means the other side took responsibility: PUBACK for MQTT QoS 1, RECEIPT for STOMP.
- Nothing is dropped in silence: a message stays with the link until it is acknowledged; a lost connection is made again,
  with jittered back-off, for as long as it is wanted, and what is unacknowledged is sent again, after the births of the
  new connection and without those of the old one. What will never be acknowledged is counted in `counts.given_up`, by
  reason.
- Bounded: `room` says how many more messages are taken; sending more is an error of the caller.
- All calls and call-backs happen on the event loop that ran `start`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from device_sim.ledger.writer import Acknowledgement
from device_sim.message import LinkAction, Message, Will


@dataclass(frozen=True, slots=True)
class LinkEvents:
    """What a link reports to its owner."""

    acknowledged: Callable[[Sequence[Message], Acknowledgement], None]
    """These messages are the other side's responsibility now, and whose; never empty, each message once."""
    room: Callable[[], None]
    """There may be room again: a connection came up, or acknowledgements came."""
    will: Callable[[int], Will | None] = lambda _: None
    """Asked for a device whose connection was lost and is made again though no LinkAction said so: its will."""
    births: Callable[[int], Sequence[Message]] = lambda _: ()
    """Asked when that stands: what the device sends first on it, outstanding from now on."""


@dataclass(slots=True)
class LinkCounts:
    """What a link holds and what it lost hope for."""

    up: int = 0
    """Connections that stand."""
    outstanding: int = 0
    """Messages that were sent and are neither acknowledged nor given up."""
    given_up: dict[str, int] = field(default_factory=dict)
    """Messages that will not be acknowledged, by reason."""
    problems: Mapping[str, int] = field(default_factory=dict)
    """What the devices' connections met, with how often; shared connections only log it."""

    def give_up(self, messages: int, reason: str) -> None:
        """Count messages that will not be acknowledged."""
        self.outstanding -= messages
        self.given_up[reason] = self.given_up.get(reason, 0) + messages


class Link(Protocol):
    """The connections of simulated devices: one each, or a handful that they share."""

    @property
    def counts(self) -> LinkCounts:
        """The figures as of now; read, not changed, by the owner."""
        ...

    @property
    def room(self) -> int:
        """How many messages `send` takes now, whatever their sources."""
        ...

    @property
    def awaited(self) -> int:
        """Outstanding messages of connections that are wanted: those that an end of the run should wait for."""
        ...

    async def start(self) -> None:
        """Get ready; shared connections stand when it returns. Retries until then: cancel it to give up."""
        ...

    def send(self, messages: Sequence[Message]) -> None:
        """Take up to `room` messages; never blocks."""
        ...

    def act(self, action: LinkAction) -> None:
        """Do to a device's connection what the schedule says; shared connections are nobody's and stay as they are."""
        ...

    async def close(self) -> None:
        """Disconnect and end all tasks within a few seconds; what is unacknowledged stays so."""
        ...
