"""A transaction: messages that go to the hub, and are receipted, together; and what they weigh."""

from dataclasses import dataclass

from bridge.hub.send_frames import FRAME_OVERHEAD_BYTES
from hub.clients.mqtt_parser import Publish


@dataclass(slots=True, eq=False)
class Transaction:
    """Messages on their way, and what is known against them (poison.py)."""

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


def weight(messages: list[Publish]) -> int:
    """Return bytes of payloads, topics and properties with the frames around them."""
    return sum([len(m[1]) + len(m[2]) + len(m[4]) for m in messages]) + FRAME_OVERHEAD_BYTES * len(messages)


def first_that_fit(messages: list[Publish], max_bytes: int) -> tuple[list[Publish], int]:
    """Return the first messages that weigh no more, at least one, and their weight."""
    size = 0
    for count, message in enumerate(messages):
        more = len(message[1]) + len(message[2]) + len(message[4]) + FRAME_OVERHEAD_BYTES
        if count and size + more > max_bytes:
            return messages[:count], size
        size += more
    return messages, size
