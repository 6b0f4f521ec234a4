"""What the hub knows of topics: who gets their messages, and what the last one was.

A topic's fan-out is found once and remembered until a subscription that could match it comes or goes. The last message is
kept for subscribers that ask `replay:last`. Both are bounded, in topics and in octets of last messages; the topic known
for longest is forgotten first. Forgetting a fan-out costs a look-up; forgetting a last message is counted with reason
`retained-evicted`. A topic that was forgotten is stale: who still holds it asks again before using it.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from hub.broker.outbox import Outbox
from hub.broker.publication import OVERHEAD, Address, Cohort, Item, Publication
from hub.broker.subscription import Subscription
from hub.stomp.frames import UserHeaders

READINGS = "readings/"
STALE = -1  # a generation that never is the present one
Member = tuple[Subscription, Outbox]
# A last message: its number, body and headers. A tuple and no Publication: most are never asked for.
Last = tuple[int, bytes, UserHeaders]


class Fanout:
    """The subscribers of some topics, ready for the hot path. Never changed: a change makes a new one."""

    __slots__ = ("bystanders", "cohorts", "consumers", "dirty", "groups", "outboxes", "size", "special", "wanted")

    def __init__(self, members: Sequence[Member]) -> None:
        self.special = [subscription for subscription, _ in members if not subscription.plain]
        # Receipts wait for the ACKs of these; and those of the special that are none.
        self.consumers = [subscription for subscription in self.special if subscription.awaited is not None]
        self.bystanders = [subscription for subscription in self.special if subscription.awaited is None]
        groups: dict[Cohort, list[list[Item]]] = {}
        for subscription, outbox in members:
            if subscription.plain:
                groups.setdefault(subscription.cohort, []).append(outbox.pending)
        self.cohorts = [(cohort, [pending.append for pending in all_of]) for cohort, all_of in groups.items()]
        self.groups = list(groups.items())  # the same for many messages at once
        self.outboxes = list({id(outbox): outbox for subscription, outbox in members if subscription.plain}.values())
        self.size = sum(len(pendings) for _, pendings in self.groups)
        self.dirty = False  # it has frames that were not flushed
        self.wanted = bool(self.size or self.special)  # whether anybody is in it


NOBODY = Fanout(())


class Topic:
    """One topic that was published or asked about."""

    __slots__ = ("address", "fanout", "generation", "kept", "last", "name", "reserved")

    def __init__(self, address: Address, name: str, fanout: Fanout, generation: int, *, reserved: bool) -> None:
        self.address = address
        self.name = name  # without /topic/
        self.fanout = fanout
        self.generation = generation  # of the wildcard subscriptions that the fan-out was found with
        self.reserved = reserved  # only the hub publishes here
        self.kept = not name.startswith(READINGS)  # their last ones are known to a replay source, in full
        self.last: Last | None = None


# A message to be published: topic, body, the sender's headers, its value if it is a reading.
Outgoing = tuple[Topic, bytes, UserHeaders, float | None]


class Topics:
    """All known topics by destination, oldest first."""

    __slots__ = ("_dropped", "_max_bytes", "_max_topics", "_topics", "bytes", "get")

    def __init__(self, max_topics: int, max_bytes: int, dropped: Counter[str]) -> None:
        self._topics: dict[str, Topic] = {}
        # Asked several times for each message: the dictionary's own method, without one of ours around it.
        self.get = self._topics.get
        self._max_topics = max_topics
        self._max_bytes = max_bytes
        self._dropped = dropped
        self.bytes = 0  # of last messages

    def __len__(self) -> int:
        return len(self._topics)

    def add(self, topic: Topic) -> None:
        """Know another one."""
        while len(self._topics) >= self._max_topics:
            self._forget_oldest()
        self._topics[topic.address.destination] = topic

    def keep(self, topic: Topic, message: Last) -> None:
        """Remember the last message of a topic that is known."""
        last = topic.last
        topic.last = message
        if last is not None and last[2] is message[2]:
            self.bytes += len(message[1]) - len(last[1])
        else:
            self.bytes += _size(message) - (0 if last is None else _size(last))
        if self.bytes > self._max_bytes:
            while self.bytes > self._max_bytes and self._topics:
                self._forget_oldest()

    def last_messages(self, matches: Callable[[str], bool]) -> list[Publication]:
        """Give the last messages of the destinations that match, oldest first."""
        found = [
            Publication(topic.address, *topic.last)
            for destination, topic in self._topics.items()
            if topic.last is not None and matches(destination)
        ]
        return sorted(found, key=lambda publication: publication.number)

    def _forget_oldest(self) -> None:
        topic = self._topics.pop(next(iter(self._topics)))
        topic.generation = STALE
        if topic.last is not None:
            self.bytes -= _size(topic.last)
            topic.last = None
            self._dropped["retained-evicted"] += 1


def _size(message: Last) -> int:
    """Give the octets that a last message counts for."""
    return len(message[1]) + message[2].size + OVERHEAD
