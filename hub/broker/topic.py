"""What the hub knows of topics: who gets their messages, and what the last one was.

A topic's fan-out is found once and remembered until a channel that could match it comes or goes. The last message is kept
for subscribers that ask `replay:last`. Both are bounded, in topics, in bytes of last messages and in bytes of names; the
topic known for longest is forgotten first. Forgetting a fan-out costs a look-up; forgetting a last message is counted with
the reason `retained-evicted`. A topic that was forgotten is stale: who still holds it asks again before using it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from hub.broker.channel import Channel
from hub.broker.confirmations import Confirmation
from hub.broker.publication import OVERHEAD, Address, Cohort, Headers, Publication
from hub.topics.destinations import Destination
from hub.topics.name_tree import NameTree

MOST_SHED = 10_000  # topics that are forgotten at once to give memory back: all of them would hold the loop
STALE = -1  # a generation that never is the present one
# A last message: its number, body and headers. A tuple and no Publication: most are never asked for.
Last = tuple[int, bytes, Headers]


class Fanout:
    """The channels of some topics, ready for the hot path. Never changed: a change makes a new one."""

    __slots__ = ("consumers", "everybody", "groups")

    def __init__(self, channels: Iterable[Channel] = (), consumers: Iterable[Channel] = ()) -> None:
        groups: dict[Cohort, list[Channel]] = {}
        for channel in channels:
            groups.setdefault(channel.cohort, []).append(channel)
        self.groups = list(groups.items())
        # Receipts wait for the ACKs of these; some origins do not reach them.
        self.consumers = [(channel.cohort, [channel]) for channel in consumers]
        self.everybody = [*self.groups, *self.consumers]

    @property
    def wanted(self) -> bool:
        """Whether anybody is in it, consumers aside."""
        return bool(self.groups)

    def expect(self, confirmation: Confirmation, number: int) -> None:
        """Let a confirmation wait for the consumers of a message."""
        for _, channels in self.consumers:
            for channel in channels:
                for consumer in channel.special:
                    if consumer.awaited is not None:
                        confirmation.expect()
                        consumer.awaited[number] = confirmation


NOBODY = Fanout()


class Topic(Address):
    """One topic that was published or asked about."""

    __slots__ = ("fanout", "generation", "last")

    def __init__(self, destination: Destination, fanout: Fanout, generation: int) -> None:
        super().__init__(destination)
        self.fanout = fanout
        self.generation = generation  # of the wildcard filters that the fan-out was found with
        self.last: Last | None = None


class Topics:
    """All known topics by destination, oldest first."""

    __slots__ = (
        "_dropped",
        "_max_bytes",
        "_max_name_bytes",
        "_max_topics",
        "_names",
        "_topics",
        "bytes",
        "get",
        "name_bytes",
    )

    def __init__(self, max_topics: int, max_bytes: int, max_name_bytes: int, dropped: Counter[str]) -> None:
        self._topics: dict[str, Topic] = {}
        # Asked several times for each message: the dictionary's own method, without one of ours around it.
        self.get = self._topics.get
        self._names: NameTree[Topic] = NameTree()  # of those with a last message
        self._max_topics = max_topics
        self._max_bytes = max_bytes
        self._max_name_bytes = max_name_bytes
        self._dropped = dropped
        self.bytes = 0  # of last messages
        self.name_bytes = 0  # of the topics themselves

    def __len__(self) -> int:
        return len(self._topics)

    def add(self, topic: Topic) -> None:
        """Know another one."""
        self.name_bytes += _name_size(topic)
        while self._topics and (len(self._topics) >= self._max_topics or self.name_bytes > self._max_name_bytes):
            self._forget_oldest()
        self._topics[topic.text] = topic

    def shed(self) -> None:
        """Give memory back: forget the older half of last messages and names."""
        last, names = self.bytes // 2, self.name_bytes // 2
        begun = len(self._topics)
        while (self.bytes > last or self.name_bytes > names) and begun - len(self._topics) < MOST_SHED:
            self._forget_oldest()

    def keep(self, topic: Topic, message: Last) -> None:
        """Remember the last message of a topic that is known."""
        last = topic.last
        topic.last = message
        if last is not None and last[2] is message[2]:
            self.bytes += len(message[1]) - len(last[1])
        else:
            self.bytes += _size(message) - (0 if last is None else _size(last))
            if last is None:
                self._names.add(topic.destination.name, topic)
        if self.bytes > self._max_bytes:
            while self.bytes > self._max_bytes and self._topics:
                self._forget_oldest()

    def last_messages(self, levels: tuple[str, ...]) -> Iterator[Publication]:
        """Return the last messages of the topics that a filter's levels match, one by one, as they are when asked for."""
        for topic in self._names.matching(levels):
            if topic.last is not None:
                yield Publication(topic, *topic.last)

    def _forget_oldest(self) -> None:
        topic = self._topics.pop(next(iter(self._topics)))
        topic.generation = STALE
        self.name_bytes -= _name_size(topic)
        if topic.last is not None:
            self._names.remove(topic.destination.name)
            self.bytes -= _size(topic.last)
            topic.last = None
            self._dropped["retained-evicted"] += 1


def _name_size(topic: Topic) -> int:
    """Return the bytes that a topic counts for: its name as text, in levels, as each encoder writes it; its entries."""
    return 4 * len(topic.text) + 2 * OVERHEAD


def _size(message: Last) -> int:
    """Return the bytes that a last message counts for."""
    return len(message[1]) + message[2].size + OVERHEAD
