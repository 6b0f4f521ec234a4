"""Who gets the messages of a topic.

A topic's subscribers are found once in the trees of filters and remembered (`Topic.fanout`), until a subscription that
could match the topic comes or goes: a wildcard makes all topics stale (`generation`), an exact filter its own one.
Fan-outs are shared between topics that match the same nodes.
"""

from collections import Counter

from hub.broker.outbox import Outbox
from hub.broker.publication import Address
from hub.broker.subscription import Subscription
from hub.broker.topic import READINGS, STALE, Fanout, Member, Topic, Topics
from hub.stomp.errors import SessionError
from hub.stomp.frames import quoted
from hub.topics.names import ONE, RESERVED, REST, FilterLimits, is_exact, parse_filter, validate_topic
from hub.topics.tree import TopicTree

TOPIC_PREFIX = "/topic/"
# What only the hub publishes: readings that it decoded, and what it says of itself.
RESERVED_TOPICS = ("$SYS/", READINGS)


class Routing:
    """The topics and the filters that match them."""

    __slots__ = ("_consumers", "_fanouts", "_filters", "_first_levels", "_limits", "generation", "topics")

    def __init__(self, limits: FilterLimits, topics: Topics) -> None:
        self.topics = topics
        self.generation = 0  # a topic of another one is to be asked for again
        self._limits = limits
        self._filters: TopicTree[Member] = TopicTree(limits)
        # Of consumers, apart: what only the hub publishes is no concern of theirs, and is not encoded for them.
        self._consumers: TopicTree[Member] = TopicTree(limits)
        self._first_levels: Counter[str] = Counter()  # never 0, of the filters that are subscribed to
        self._fanouts: dict[tuple[int, ...], Fanout] = {}

    def topic(self, destination: str) -> Topic:
        """Give a topic with its present fan-out.

        Raises:
            TopicError: the destination is not a legal topic.
        """
        topic = self.topics.get(destination)
        if topic is not None and topic.generation == self.generation:
            return topic
        return self._find(destination, topic)

    def listening(self, first_level: str) -> bool:
        """Whether any filter could match a topic that begins with this level: a quick no."""
        levels = self._first_levels
        # A leading wildcard does not reach reserved topics (MQTT 3.1.1, section 4.7.2).
        return first_level in levels or ((ONE in levels or REST in levels) and first_level[:1] != RESERVED)

    def add(self, subscription: Subscription, outbox: Outbox) -> None:
        """Let a subscription on topics take part.

        Raises:
            TopicError: its topic filter is not legal.
        """
        tree = self._consumers if subscription.options.confirms else self._filters
        tree.add(subscription.destination.removeprefix(TOPIC_PREFIX), (subscription, outbox))
        self._changed(subscription, 1)

    def remove(self, subscription: Subscription, outbox: Outbox) -> None:
        """Let a subscription take part no more."""
        tree = self._consumers if subscription.options.confirms else self._filters
        tree.remove(subscription.destination.removeprefix(TOPIC_PREFIX), (subscription, outbox))
        self._changed(subscription, -1)

    def _find(self, destination: str, known: Topic | None) -> Topic:
        """Find a topic's subscribers, again if it is known."""
        name = destination.removeprefix(TOPIC_PREFIX) if known is None else known.name
        if known is None:
            if not destination.startswith(TOPIC_PREFIX):
                raise SessionError("Bad destination", f"{quoted(destination)} is not a topic")
            validate_topic(name)
        nodes = self._filters.match_nodes(name)
        reserved = name.startswith(RESERVED_TOPICS)
        if not reserved:
            nodes += self._consumers.match_nodes(name)
        key = tuple(map(id, nodes))
        fanout = self._fanouts.get(key)
        if fanout is None:
            fanout = self._fanouts[key] = Fanout([member for node in nodes for member in node.values])
        if known is not None:
            known.fanout, known.generation = fanout, self.generation
            return known
        topic = Topic(Address(destination), name, fanout, self.generation, reserved=reserved)
        self.topics.add(topic)
        return topic

    def _changed(self, subscription: Subscription, by: int) -> None:
        """Drop what a subscription, more or less, may have changed."""
        # Fan-outs are shared between topics by their nodes, and the nodes have changed.
        self._fanouts.clear()
        levels = parse_filter(subscription.destination.removeprefix(TOPIC_PREFIX), self._limits)
        if not subscription.options.confirms:
            self._first_levels[levels[0]] += by
            if not self._first_levels[levels[0]]:
                del self._first_levels[levels[0]]
        if is_exact(levels):
            if (topic := self.topics.get(subscription.destination)) is not None:
                topic.generation = STALE
        else:
            self.generation += 1
