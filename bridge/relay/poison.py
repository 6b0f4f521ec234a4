"""Which message is poison: one that the hub refuses, or dies of, each time, while others go through. No I/O.

The rules:

1. When the hub refuses (ERROR, or a close code that blames the client) what was on its way is suspect. A connection that
   just vanishes is mostly the hub's restart: the search begins after `LOSSES_TO_SUSPECT` of one transaction.
2. A suspect goes alone; a transaction that fails alone is halved, until it is one message.
3. A message alone is poison after the endings of `PROOFS`, and only if others got their receipts between so many of them:
   a hub that refuses everything, or is killed again and again, looks the same from here, but not to the messages beside
   it. So after each ending another message goes first, a witness; without one the message is kept, and sent again.
4. Connections that we ended ourselves prove nothing.
"""

from enum import Enum
from typing import Final, NamedTuple

from bridge.relay.transaction import Transaction

# kill -9 of the hub in mid-transaction, this often in a row.
LOSSES_TO_SUSPECT: Final = 5


class Loss(Enum):
    """Why a connection to the hub ended."""

    REFUSED = "the hub refused what it was sent"
    LOST = "the connection was lost"
    OURS = "we ended it: shutdown, or a receipt that did not come"


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


def note_loss(transaction: Transaction, loss: Loss) -> None:
    """Hold it against a transaction that was on its way when a connection ended."""
    transaction.losses += loss is Loss.LOST
    transaction.suspect |= loss is Loss.REFUSED or transaction.losses >= LOSSES_TO_SUSPECT


def is_poison(suspect: Transaction, loss: Loss, relayed: int) -> bool:
    """Judge a message that was alone when a connection ended; `relayed` is how many have gone through so far."""
    if loss is Loss.REFUSED:
        suspect.refused_alone += 1
    else:
        suspect.lost_alone += 1
    suspect.witnessed += suspect.relayed_then is not None and relayed > suspect.relayed_then
    suspect.relayed_then = relayed
    endings = {Loss.REFUSED: suspect.refused_alone, Loss.LOST: suspect.lost_alone}
    return any(
        endings[kind] >= proof.endings and suspect.witnessed >= proof.witnessed for kind, proof in PROOFS.items()
    )
