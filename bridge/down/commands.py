"""Commands on their way down: what came from the hub and is not acknowledged to it yet. No I/O; time is an argument.

The rules that hold:

1. A command is acknowledged to the hub after the broker's PUBACK, and refused (NACK, with the reason) when it cannot be
   published. Answers leave in the order in which the commands came: the longest finished prefix.
2. Published at QoS 1, never retained, in order. After a lost connection what has no PUBACK is published again with DUP and
   its packet id (MQTT 3.1.1, 4.4), before anything newer.
3. When the hub's connection ends everything is forgotten and counted as discarded: the hub has answered the senders that
   the outcome is unknown, and a command that acts an hour later is worse than one that is lost.
4. A topic that two filters match comes once for each; the first filter in the list owns it, the other copies are
   acknowledged without being published.
5. Bounded by the hub: it sends `command_prefetch` of a filter without an ACK and keeps or refuses the rest. At most
   `IN_FLIGHT` are at the broker without a PUBACK, fewer if it says so.
6. Poison never blocks: a command with which the broker's connection was lost `LOSSES_TO_REFUSE` times is refused.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from hub.topics.bridging import FILTER_LIMITS
from hub.topics.names import TopicError, validate_topic
from hub.topics.tree import TopicTree

# What Mosquitto and paho take for granted where nothing else is said.
IN_FLIGHT: Final = 20
LOSSES_TO_REFUSE: Final = 3
_TOPIC_PREFIX: Final = "/topic/"
_MAX_TOPIC_BYTES: Final = 65_535
# Packet id, lengths and an empty property section, rounded up.
_OVERHEAD_BYTES: Final = 16


class Answer(NamedTuple):
    """What the hub gets as the answer to one command."""

    ack_id: str
    refusal: str | None  # None: acknowledged


@dataclass(slots=True, eq=False)
class Command:
    """One message from the hub."""

    ack_id: str
    topic: str
    payload: bytes
    content_type: str | None
    mid: int = 0  # its packet id, once it was published
    sent_at: float | None = None  # on the present connection
    losses: int = 0
    done: bool = False
    refusal: str | None = None


@dataclass(slots=True)
class CommandCounts:
    """Plain counters; metrics.py names them."""

    received: int = 0
    published: int = 0
    acknowledged: int = 0
    refused: int = 0
    discarded: int = 0


class Commands:
    """The commands that wait for their answer; see the head of this file for its rules."""

    def __init__(self, filters: Sequence[str], max_bytes: int) -> None:
        """Take the filters in the order in which they own topics, and the size of the largest payload."""
        self.counts = CommandCounts()
        self.in_flight = IN_FLIGHT
        self.packet_bytes: int | None = None  # what the broker says it takes
        self._max_bytes = max_bytes
        self._owners: TopicTree[int] = TopicTree(FILTER_LIMITS)
        for index, text in enumerate(filters):
            self._owners.add(text, index)
        self._held: deque[Command] = deque()
        self._by_mid: dict[int, Command] = {}

    def __len__(self) -> int:
        return len(self._held)

    def is_command(self, topic: str) -> bool:
        """Whether a topic goes down, and therefore never up."""
        return bool(self._owners.match_nodes(topic))

    # The hub's side.

    def received(self, index: int, ack_id: str, destination: str, payload: bytes, content_type: str | None) -> None:
        """Take a message that came for the filter with this index."""
        topic = destination.removeprefix(_TOPIC_PREFIX)
        command = Command(ack_id, topic, payload, content_type)
        self._held.append(command)
        if min(self._owners.match(topic), default=index) != index:
            command.done = True
            return
        self.counts.received += 1
        command.refusal = self._unpublishable(topic, command)
        if command.refusal is not None:
            self._refuse(command, command.refusal)

    def hub_lost(self) -> None:
        """Forget everything: it can no longer be answered."""
        self.counts.discarded += sum(not command.done for command in self._held)
        self._held.clear()
        self._by_mid.clear()

    def answers(self) -> list[Answer]:
        """Return what can be answered now, in order."""
        answers = []
        while self._held and self._held[0].done:
            command = self._held.popleft()
            answers.append(Answer(command.ack_id, command.refusal))
        return answers

    # The broker's side.

    def to_publish(self) -> Command | None:
        """Return the next one to publish; the caller does so and calls `published`."""
        if sum(command.sent_at is not None for command in self._unfinished()) >= self.in_flight:
            return None
        return next((command for command in self._unfinished() if command.sent_at is None), None)

    def published(self, command: Command, mid: int, now: float) -> None:
        """Note that it was written, with this packet id."""
        command.mid = mid
        command.sent_at = now
        self._by_mid[mid] = command
        self.counts.published += 1

    def acknowledged(self, mid: int, refusal: str | None) -> bool:
        """Take a PUBACK; says whether it was for one of these."""
        command = self._by_mid.pop(mid, None)
        if command is None:
            return False
        if refusal is None:
            command.done = True
            self.counts.acknowledged += 1
        else:
            self._refuse(command, refusal)
        return True

    def uses(self, mid: int) -> bool:
        """Whether a packet id is taken."""
        return mid in self._by_mid

    def oldest_sent_at(self) -> float | None:
        """When the one was published that has waited longest for its PUBACK."""
        return next((command.sent_at for command in self._unfinished() if command.sent_at is not None), None)

    def mqtt_lost(self) -> None:
        """Publish again what has no PUBACK, once the broker is back."""
        suspect = next((command for command in self._unfinished() if command.sent_at is not None), None)
        for command in self._held:
            command.sent_at = None
        if suspect is None:
            return
        suspect.losses += 1
        if suspect.losses >= LOSSES_TO_REFUSE:
            del self._by_mid[suspect.mid]
            self._refuse(
                suspect, f"the broker's connection was lost {suspect.losses} times with this command unanswered"
            )

    def _unfinished(self) -> Iterator[Command]:
        return (command for command in self._held if not command.done)

    def _refuse(self, command: Command, why: str) -> None:
        command.done = True
        command.refusal = why
        self.counts.refused += 1

    def _unpublishable(self, topic: str, command: Command) -> str | None:
        try:
            validate_topic(topic)
        except TopicError as error:
            return str(error)
        # A broker may close the connection on these (MQTT 3.1.1, 1.5.3), and Mosquitto does.
        if any(char < " " or "\x7f" <= char <= "\x9f" or _is_noncharacter(char) for char in topic):
            return "the topic has a character that MQTT brokers do not take"
        topic_bytes = len(topic.encode())
        if topic_bytes > _MAX_TOPIC_BYTES:
            return f"the topic has {topic_bytes} bytes, and MQTT takes {_MAX_TOPIC_BYTES}"
        if len(command.payload) > self._max_bytes:
            return f"the payload has {len(command.payload)} bytes, and message_bytes is {self._max_bytes}"
        size = topic_bytes + len(command.payload) + len(command.content_type or "") * 4 + _OVERHEAD_BYTES
        if self.packet_bytes is not None and size > self.packet_bytes:
            return f"the packet would have {size} bytes, and the broker takes {self.packet_bytes}"
        return None


def _is_noncharacter(char: str) -> bool:
    return "\ufdd0" <= char <= "\ufdef" or ord(char) & 0xFFFE == 0xFFFE
