"""What a schedule is made of: messages of simulated devices, and what happens to their connections.

A message carries readings of one device at one time, and says what the hub must make of them. Rule: the same message
always becomes the same bytes, so a message that is sent again after a reconnect is a repeat that the hub's primary key
drops.
"""

from enum import Enum
from typing import NamedTuple, TypeAlias

US_PER_MS = 1_000

Value: TypeAlias = float | str | bool


class Message(NamedTuple):
    """What is sent. A NamedTuple, because a fleet makes thousands a second and it is the cheapest frozen record."""

    number: int
    """Counts from 0 in the order of sending, without gaps: the ledger relies on it."""
    source: int
    """The device's number; messages of one source keep their order on one connection."""
    device: str
    """Its name as the hub stores it."""
    metrics: tuple[str, ...]
    """The metrics that must be stored, named as the hub names them; empty: nothing may be stored from this message."""
    time_us: int
    """Device time, microseconds since the epoch: part of each reading's identity."""
    due_s: float
    """When it is to be sent, seconds after the schedule's start (open loop: whether or not the last one is answered)."""
    topic: str
    payload: bytes
    values: tuple[Value, ...] = ()
    """What must be stored for each of `metrics`, in their order."""
    timed: bool = True
    """False: the payload carries no time, the hub stamps its own, and `time_us` is only when it was sampled."""
    retain: bool = False
    qos: int = 1
    birth: bool = False
    """It announces the device on the connection that it is made for, and means nothing on another."""


class LinkActionKind(Enum):
    """What a device's connection does."""

    CONNECT = "connect"
    """Make a new connection; ends FREEZE as well."""
    DISCONNECT = "disconnect"
    """Disconnect: no will is published."""
    CUT = "cut"
    """Lose the connection without a good-bye: the broker publishes the will."""
    FREEZE = "freeze"
    """Half-open: the socket stays and is neither read nor written until the next CONNECT."""


class Will(NamedTuple):
    """What the broker publishes when a connection is lost without a good-bye."""

    topic: str
    payload: bytes
    retain: bool = False
    qos: int = 1


class LinkAction(NamedTuple):
    """Something that happens to the connection of device `source`; before its first CONNECT it has none."""

    due_s: float
    source: int
    kind: LinkActionKind
    will: Will | None = None
    """With CONNECT: the will of this connection."""
