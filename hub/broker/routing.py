"""Who gets the messages of a topic.

A topic's channels are found once in the tree of filters and remembered (`Topic.fanout`), until a channel that could match
the topic comes or goes: a filter with a wildcard makes all topics stale (`generation`), an exact one its own topic.
Fan-outs are shared between topics that match the same filters.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from hub.broker.channel import Channel, Key, Offer
from hub.broker.outbox import Outbox, Owed
from hub.broker.topic import STALE, Fanout, Topic, Topics
from hub.topics.destinations import Destination, Kind
from hub.topics.names import ONE, RESERVED, REST, FilterLimits, is_exact, parse_filter, validate_topic
from hub.topics.tree import TopicTree

MAX_FANOUTS: Final = 100_000


class Member:
    """A subscription on a topic filter, as routing knows it."""

    __slots__ = ("channel", "consumer", "key", "outbox", "owed")

    def __init__(self, owed: Owed, outbox: Outbox, filter_text: str, *, consumer: bool) -> None:
        self.owed = owed
        self.outbox = outbox
        self.consumer = consumer  # receipts wait for its ACKs
        self.key: Key = (filter_text, owed.cohort, owed.on_slow)
        self.channel: Channel | None = None


class Routing:
    """The topics, and the channels whose filters match them."""

    __slots__ = ("_channels", "_consumers", "_fanouts", "_filters", "_first_levels", "_limits", "generation", "topics")

    def __init__(self, limits: FilterLimits, topics: Topics) -> None:
        self.topics = topics
        self.generation = 0  # a topic of another generation must be looked up again
        self._limits = limits
        self._filters: TopicTree[Channel] = TopicTree(limits)
        # Those of consumers, apart: some origins do not reach them, and nothing is encoded for them alone.
        self._consumers: TopicTree[Channel] = TopicTree(limits)
        self._channels: dict[tuple[Key, bool], Channel] = {}
        self._first_levels: Counter[str] = Counter()  # never 0, of the filters of `_filters`
        self._fanouts: dict[tuple[int, ...], Fanout] = {}

    def topic(self, destination: Destination) -> Topic:
        """Return a topic with its present fan-out.

        Raises:
            TopicError: its name is not legal.
        """
        topic = self.topics.get(destination.text)
        if topic is None:
            validate_topic(destination.name)
            topic = Topic(destination, self._find(destination.name), self.generation)
            self.topics.add(topic)
            return topic
        return self.fresh(topic)

    def fresh(self, topic: Topic) -> Topic:
        """Return a topic that was known, found again if what was remembered of it is stale."""
        if topic.generation != self.generation:
            if self.topics.get(topic.text) is not topic:  # it was forgotten
                return self.topic(topic.destination)
            topic.fanout, topic.generation = self._find(topic.destination.name), self.generation
        return topic

    def listening(self, first_level: str) -> bool:
        """Whether any filter could match a topic that begins with this level: a cheap check."""
        levels = self._first_levels
        # A leading wildcard does not reach reserved topics (MQTT 3.1.1, section 4.7.2).
        return first_level in levels or ((ONE in levels or REST in levels) and first_level[:1] != RESERVED)

    def add(self, member: Member, offer: Offer | None) -> None:
        """Add a subscription on topics, through a stage if one is passed.

        Raises:
            TopicError: its topic filter is not legal.
        """
        name = (member.key, member.consumer)
        channel = self._channels.get(name)
        if channel is None:
            levels = parse_filter(member.key[0], self._limits)
            channel = self._channels[name] = Channel(member.key)
            (self._consumers if member.consumer else self._filters).add(member.key[0], channel)
            self._changed(levels, 0 if member.consumer else 1)
        else:
            # The same objects for all members, as there may be thousands.
            member.key = channel.key
            member.owed.cohort = channel.cohort
        channel.join(member.owed, member.outbox, offer)
        member.channel = channel

    def remove(self, member: Member) -> None:
        """Remove a subscription."""
        channel, member.channel = member.channel, None
        if channel is None:
            return
        channel.leave(member.owed)
        if channel.empty:
            del self._channels[member.key, member.consumer]
            (self._consumers if member.consumer else self._filters).remove(member.key[0], channel)
            self._changed(parse_filter(member.key[0], self._limits), 0 if member.consumer else -1)

    def logged_bytes(self) -> int:
        """Return what channels keep for members that are blocked."""
        return sum(channel.logged_bytes for channel in self._channels.values())

    def logs(self) -> Iterator[tuple[str, Channel]]:
        """Return the channels that keep something for members that are blocked, with their filters."""
        for ((topic_filter, _, _), _), channel in self._channels.items():
            if channel.logged_bytes:
                yield topic_filter, channel

    def _find(self, name: str) -> Fanout:
        nodes = self._filters.match_nodes(name)
        consumers = self._consumers.match_nodes(name)
        key = (*map(id, nodes), 0, *map(id, consumers))
        fanout = self._fanouts.get(key)
        if fanout is None:
            if len(self._fanouts) >= MAX_FANOUTS:
                self._fanouts.clear()
            fanout = self._fanouts[key] = Fanout(
                [channel for node in nodes for channel in node.values],
                [channel for node in consumers for channel in node.values],
            )
        return fanout

    def _changed(self, levels: tuple[str, ...], by: int) -> None:
        """Drop the fan-outs that adding or removing a channel may have changed."""
        # Fan-outs are shared between topics by their nodes, and the nodes have changed.
        self._fanouts.clear()
        if by:
            self._first_levels[levels[0]] += by
            if not self._first_levels[levels[0]]:
                del self._first_levels[levels[0]]
        if is_exact(levels):
            topic = self.topics.get(Destination(Kind.TOPIC, "/".join(levels)).text)
            if topic is not None:
                topic.generation = STALE
        else:
            self.generation += 1
