"""Messages that go wrong on their way: late, out of order, twice, damaged, too large."""

import random
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from device_sim.faults.settings import Sent, StreamFault
from device_sim.payloads.format import Encoded

NEVER_VALID = b"\xff"
"""No text is UTF-8, no CBOR item and no protobuf message is complete with it in front."""


class Jitter(StreamFault):
    """Each message leaves a random time later. The order of a device's messages may change with it."""

    kind: Literal["jitter"]
    up_to_s: float = Field(gt=0.0, le=3_600.0, description="longest delay, seconds; all delays are alike likely")

    def send(self, due_s: float, message: Encoded, rng: random.Random) -> Sequence[Sent]:
        return ((due_s + rng.uniform(0.0, self.up_to_s), message),)


class OutOfOrder(StreamFault):
    """A message is held back, so that later ones overtake it."""

    kind: Literal["out-of-order"]
    held_s: float = Field(gt=0.0, le=3_600.0, description="how long it is held back, seconds")

    def send(self, due_s: float, message: Encoded, rng: random.Random) -> Sequence[Sent]:  # noqa: ARG002
        return ((due_s + self.held_s, message),)


class Duplicate(StreamFault):
    """A message leaves again, the same bytes: it must be stored once."""

    kind: Literal["duplicate"]
    after_s: float = Field(default=0.5, ge=0.0, le=3_600.0, description="seconds between a message and its repeats")
    repeats: int = Field(default=1, ge=1, le=100, description="how many repeats")

    def send(self, due_s: float, message: Encoded, rng: random.Random) -> Sequence[Sent]:  # noqa: ARG002
        return tuple((due_s + number * self.after_s, message) for number in range(self.repeats + 1))


class Malformed(StreamFault):
    """Bytes that no decoder can read: nothing may be stored of it, and it must stop nothing."""

    kind: Literal["malformed"]

    def send(self, due_s: float, message: Encoded, rng: random.Random) -> Sequence[Sent]:
        half = message.payload[: rng.randrange(len(message.payload) + 1)]
        return ((due_s, _damaged(message, NEVER_VALID + half)),)


class Oversize(StreamFault):
    """A payload that is far too long, and nothing else."""

    kind: Literal["oversize"]
    octets: int = Field(default=262_144, ge=1_024, le=64 * 1_048_576, description="size of the payload")

    def send(self, due_s: float, message: Encoded, rng: random.Random) -> Sequence[Sent]:  # noqa: ARG002
        return ((due_s, _damaged(message, NEVER_VALID * self.octets)),)


def _damaged(message: Encoded, payload: bytes) -> Encoded:
    return message._replace(payload=payload, metrics=(), values=())
