"""A transaction: messages that go to the hub, and are receipted, together; and which message is poison. No I/O.

Poison is a message that the hub refuses, or dies of, each time, while others go through. The rules:

1. When the hub refuses (ERROR, or a close code that blames the client) what was on its way is suspect. A connection that
   just vanishes is mostly the hub's restart: the search begins after `LOSSES_TO_SUSPECT` of one transaction.
2. A suspect goes alone; a transaction that fails alone is halved, until it is one message.
3. A message alone is poison after the endings of `PROOFS`, and only if others got receipts between as many of them:
   a hub that refuses everything, or is killed again and again, looks the same from here, but not to the messages beside
   it. So after each ending another message goes first, a witness; without one the message is kept, and sent again.
4. Connections that we ended ourselves prove nothing.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from bridge.hub.ending import Loss
from bridge.hub.frames import FRAME_OVERHEAD_BYTES
from hub.clients.mqtt_parser import Publish

# kill -9 of the hub in mid-transaction, this often in a row.
LOSSES_TO_SUSPECT: Final = 5


class Proof(NamedTuple):
    """How often a message's connection ended with it alone, and before how many of these others had gone through."""

    endings: int
    witnessed: int


PROOFS: Final = {
    # A hub that shuts down may say so by ERROR once.
    Loss.REFUSED: Proof(3, 2),
    # A broker's window of 20 has the witnesses for that.
    Loss.LOST: Proof(20, 3),
}


@dataclass(slots=True, eq=False)
class Transaction:
    """Messages on their way, and what is known against them."""

    ident: int
    messages: list[Publish]
    size: int  # bytes, as `weight` has it
    epoch: int
    since: float  # when its oldest message came
    sent_at: float | None = None  # on the present connection
    done: bool = False
    again: bool = False  # it was sent before
    suspect: bool = False
    losses: int = 0
    # Of a message alone: how often the hub refused it, how often its connection was lost; before how many of these
    # endings others had gone through; how many had in all, at the last.
    refused_alone: int = 0
    lost_alone: int = 0
    witnessed: int = 0
    relayed_then: int | None = None

    def note_loss(self, loss: Loss) -> None:
        """Hold it against the transaction that it was on its way when a connection ended."""
        self.sent_at = None
        self.losses += loss is Loss.LOST
        self.suspect |= loss is Loss.REFUSED or self.losses >= LOSSES_TO_SUSPECT

    def is_poison(self, loss: Loss, relayed: int) -> bool:
        """Judge a message that was alone when a connection ended; `relayed` is how many have gone through so far."""
        if loss is Loss.REFUSED:
            self.refused_alone += 1
        else:
            self.lost_alone += 1
        self.witnessed += self.relayed_then is not None and relayed > self.relayed_then
        self.relayed_then = relayed
        endings = {Loss.REFUSED: self.refused_alone, Loss.LOST: self.lost_alone}
        return any(
            endings[kind] >= proof.endings and self.witnessed >= proof.witnessed for kind, proof in PROOFS.items()
        )


def weight(messages: list[Publish]) -> int:
    """Return bytes of payloads, topics and properties with the frames around them."""
    return sum(
        [len(topic) + len(payload) + len(properties) for _, topic, payload, _, properties in messages]
    ) + FRAME_OVERHEAD_BYTES * len(messages)


def first_that_fit(messages: list[Publish], max_bytes: int) -> tuple[list[Publish], int]:
    """Return the first messages that fit, at least one, and their weight."""
    size = 0
    for count, (_, topic, payload, _, properties) in enumerate(messages):
        more = len(topic) + len(payload) + len(properties) + FRAME_OVERHEAD_BYTES
        if count and size + more > max_bytes:
            return messages[:count], size
        size += more
    return messages, size
