"""The fan-out: from a publication to the outboxes of everybody who subscribed.

`publish` is the one place where a message enters it. A topic's subscribers are found once and remembered (`Topic`);
that is dropped when a subscription that could match it comes or goes. Subscribers are grouped in cohorts
that share one encoded frame. Nothing is written here: outboxes with new frames are flushed together, once per tick, by
whoever passed `schedule`.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from hub.broker.acks import Delivery
from hub.broker.confirmations import Confirmation
from hub.broker.counters import Counters
from hub.broker.outbox import Joined, Outbox
from hub.broker.publication import Address, Cohort, Publication, new_publication
from hub.broker.queues import DEAD_PREFIX, PREFIX, Queue, QueueLimits
from hub.broker.subscription import Subscription
from hub.broker.topic import NOBODY, READINGS, Fanout, Outgoing, Topic, Topics
from hub.stomp.errors import TRY_AGAIN_LATER, SessionError
from hub.stomp.frames import NO_HEADERS, UserHeaders, quoted
from hub.topics.names import ONE, RESERVED, REST, FilterLimits, is_exact, parse_filter, validate_topic
from hub.topics.tree import TopicTree

TOPIC_PREFIX = "/topic/"
TEMP_PREFIX = "/temp-queue/"
STALE = -1  # a generation that never is the present one
# What only the hub publishes: readings that it decoded, and what it says of itself.
RESERVED_TOPICS = ("$SYS/", READINGS)


class BrokerLimits(NamedTuple):
    """Bounds on what the broker remembers."""

    filters: FilterLimits = FilterLimits()
    queues: QueueLimits = QueueLimits()
    topics: int = 100_000
    retained_bytes: int = 33_554_432


# Given a test of destinations, gives destination, body and headers of the last message of each that passes.
ReplaySource = Callable[[Callable[[str], bool]], Sequence[tuple[str, bytes, UserHeaders]]]


class Broker:
    """Topics, queues and who subscribed to them."""

    def __init__(self, limits: BrokerLimits, clock: Callable[[], float], schedule: Callable[[], None]) -> None:
        """Take the time source (s, monotonic) and what asks for a `flush` soon."""
        self.counters = Counters()
        self.topics = Topics(limits.topics, limits.retained_bytes, self.counters.dropped)
        self.queues: dict[str, Queue] = {}
        # Gives the last messages of topics that are only encoded when wanted, for `replay:last`.
        self.replay_sources: list[ReplaySource] = []
        self._limits = limits
        self._clock = clock
        self._schedule = schedule
        self._scheduled = False
        self._tree: TopicTree[tuple[Subscription, Outbox]] = TopicTree(limits.filters)
        # Of consumers, apart: what only the hub publishes is no concern of theirs, and is not encoded for them.
        self._consumer_tree: TopicTree[tuple[Subscription, Outbox]] = TopicTree(limits.filters)
        self.confirmations: set[Confirmation] = set()  # that are open
        self._members: dict[Subscription, tuple[Subscription, Outbox]] = {}
        self._cohorts: dict[tuple[str, str, object], Cohort] = {}
        self.generation = 0  # counts changes of wildcard subscriptions: a topic of another one is to be asked for again
        self._first_levels: Counter[str] = Counter()  # never 0, of the filters that are subscribed to
        self._fanouts: dict[tuple[int, ...], Fanout] = {}
        self._dirty_fanouts: list[Fanout] = []
        self._dirty_outboxes: list[Outbox] = []
        self._due: list[tuple[float, int, Subscription, str]] = []
        self._due_count = 0
        self._due_stale = 0  # entries of subscriptions that have ended

    @property
    def subscriptions(self) -> int:
        """How many there are, on topics and queues."""
        return len(self._members)

    def publish(
        self, destination: str, body: bytes, headers: UserHeaders = NO_HEADERS, value: float | None = None
    ) -> int:
        """Give a message to all subscribers of a topic (`/topic/…`); gives how many of them there are.

        Raises:
            TopicError: the destination is not a legal topic.
        """
        return self.publish_on(self.topic(destination), body, headers, value)

    def topic(self, destination: str) -> Topic:
        """Give a topic with its present fan-out.

        Raises:
            TopicError: the destination is not a legal topic.
        """
        topic = self.topics.get(destination)
        if topic is not None and topic.generation == self.generation:
            return topic
        return self._find(destination, topic)

    def publish_on(
        self, topic: Topic, body: bytes, headers: UserHeaders, value: float | None = None, *, consumed: bool = True
    ) -> int:
        """Do what `publish` does, on a topic that was just asked for; not for its consumers unless `consumed`."""
        fanout = topic.fanout
        counters = self.counters
        counters.messages_in += 1
        number = counters.number = counters.number + 1
        if topic.kept:
            self.topics.keep(topic, (number, body, headers))
        if not fanout.wanted:
            return 0
        publication = Publication(topic.address, number, body, headers, value)
        for cohort, appends in fanout.cohorts:
            item = cohort.encode(publication)
            for append in appends:
                append(item)
        if fanout.size:
            counters.messages_out += fanout.size
            if not fanout.dirty:
                self._mark_fanout(fanout)
        if fanout.special:
            self._offer(publication, fanout.special if consumed else fanout.bystanders)
        return fanout.size + len(fanout.special)

    def publish_all(self, messages: Sequence[Outgoing], *, consumed: bool = True) -> None:
        """Do what `publish_on` does for messages that came together: those in a row with one fan-out go together."""
        counters = self.counters
        number = counters.number
        counters.messages_in += len(messages)
        counters.number += len(messages)
        run: list[Publication] = []
        fanout = NOBODY
        for topic, body, headers, value in messages:
            number += 1
            if topic.kept:
                self.topics.keep(topic, (number, body, headers))
            if topic.generation != self.generation:  # delivering has given a slow connection up
                topic = self.topic(topic.address.destination)  # noqa: PLW2901 - the same one, found again
            if topic.fanout is not fanout:
                self._deliver(fanout, run)
                run = []
                fanout = topic.fanout
            if fanout.wanted:
                publication = new_publication(Publication, (topic.address, number, body, headers, value))
                run.append(publication)
                if fanout.special:
                    self._deliver(fanout, run)
                    run = []
                    self._offer(publication, fanout.special if consumed else fanout.bystanders)
        self._deliver(fanout, run)

    def expect(self, topic: Topic, confirmation: Confirmation) -> None:
        """Let a confirmation wait for the consumers of the very next message, which is for this topic."""
        number = self.counters.number + 1
        for subscription in topic.fanout.consumers:
            if subscription.awaited is not None:
                confirmation.expect()
                subscription.awaited[number] = confirmation

    def wanted(self, destination: str) -> bool:
        """Whether anybody would get a message published there.

        Raises:
            TopicError: the destination is not a legal topic.
        """
        return self.topic(destination).fanout.wanted

    def listening(self, first_level: str) -> bool:
        """Whether any filter could match a topic that begins with this level: a quick no."""
        levels = self._first_levels
        # A leading wildcard does not reach reserved topics (MQTT 3.1.1, section 4.7.2).
        return first_level in levels or ((ONE in levels or REST in levels) and first_level[:1] != RESERVED)

    def enqueue(self, destination: str, body: bytes, headers: UserHeaders) -> None:
        """Put a message into a work queue (`/queue/…` or a temporary one).

        Raises:
            SessionError: the queue is full, or there are too many queues.
        """
        self.counters.messages_in += 1
        self.counters.number += 1
        publication = Publication(Address(destination), self.counters.number, body, headers)
        self.queue(destination).put(publication)

    def queue(self, destination: str, *, bounded: bool = True) -> Queue:
        """Give a queue, made if need be; messages that come back are let in over the limit.

        Raises:
            SessionError: there are too many queues.
        """
        queue = self.queues.get(destination)
        if queue is None:
            if bounded and len(self.queues) >= self._limits.queues.queues:
                self._sweep()
            if bounded and len(self.queues) >= self._limits.queues.queues:
                text = f"{quoted(destination)} would be one queue more than the limit of {self._limits.queues.queues}"
                raise SessionError("Too many queues", text, TRY_AGAIN_LATER)
            queue = self.queues[destination] = Queue(
                destination, self._limits.queues, self.counters, self._to_dead_letters
            )
        return queue

    def cohort(self, key: str, dialect_version: str, framing: object, make: Callable[[], Cohort]) -> Cohort:
        """Give the cohort of all subscribers whose frames are the same octets."""
        cohort_key = (key, dialect_version, framing)
        cohort = self._cohorts.get(cohort_key)
        if cohort is None:
            if len(self._cohorts) >= self._limits.topics:
                # Members keep theirs; only new ones will not be grouped with them.
                self._cohorts.clear()
            cohort = self._cohorts[cohort_key] = make()
        return cohort

    def subscribe(self, subscription: Subscription, outbox: Outbox) -> None:
        """Let a subscription take part.

        Raises:
            TopicError: its topic filter is not legal.
        """
        member = (subscription, outbox)
        destination = subscription.destination
        if destination.startswith(TOPIC_PREFIX):
            self._tree_of(subscription).add(destination.removeprefix(TOPIC_PREFIX), member)
            self._filter_changed(destination, 0 if subscription.options.confirms else 1)
        else:
            self.queue(destination).join(subscription)
        self._members[subscription] = member

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription; nothing is delivered to it any more."""
        member = self._members.pop(subscription, None)
        if member is None:
            return
        destination = subscription.destination
        if subscription.pacer is not None:
            self._forget_due(subscription.pacer.holding)
        if destination.startswith(TOPIC_PREFIX):
            self._tree_of(subscription).remove(destination.removeprefix(TOPIC_PREFIX), member)
            self._filter_changed(destination, 0 if subscription.options.confirms else -1)
        elif subscription.queue is not None:
            subscription.queue.leave(subscription)
            if destination.startswith(TEMP_PREFIX) and subscription.queue.deserted:
                # It lives no longer than who asked for answers: nobody else can consume it.
                self.counters.dropped["reply-gone"] += len(subscription.queue)
                del self.queues[destination]
            else:
                self._drop_if_idle(subscription.queue)
            subscription.queue = None

    def give_back(self, destination: str, deliveries: Sequence[Delivery]) -> None:
        """Take deliveries back to the front of their queue, in their order."""
        if destination.startswith(TEMP_PREFIX) and destination not in self.queues:
            self.counters.dropped["reply-gone"] += len(deliveries)
            return
        queue = self.queue(destination, bounded=False)
        queue.give_back(deliveries)
        self._drop_if_idle(queue)

    def replay_last(self, subscription: Subscription) -> None:
        """Offer a subscription the last messages of the topics that it matches, oldest first."""
        tree: TopicTree[bool] = TopicTree(self._limits.filters)
        tree.add(subscription.destination.removeprefix(TOPIC_PREFIX), True)

        def matches(destination: str) -> bool:
            return bool(tree.match_nodes(destination.removeprefix(TOPIC_PREFIX)))

        found: list[Publication] = []
        for source in self.replay_sources:
            for destination, body, headers in source(matches):
                self.counters.number += 1
                found.append(Publication(Address(destination), self.counters.number, body, headers))
        # A source knows better than what was published when somebody last watched.
        known = {publication.address.destination for publication in found}
        found += [last for last in self.topics.last_messages(matches) if last.address.destination not in known]
        now = self._clock()
        for publication in found:
            if subscription not in self._members:
                break  # given up as too slow
            # Offered as any other message: prefetch and pacing hold here too.
            subscription.offer(publication, now)

    def mark(self, outbox: Outbox) -> None:
        """Note that an outbox has frames to flush."""
        self._dirty_outboxes.append(outbox)
        if not self._scheduled:
            self._scheduled = True
            self._schedule()

    def flush(self) -> None:
        """Write what gathered since the last flush."""
        self._scheduled = False
        fanouts, self._dirty_fanouts = self._dirty_fanouts, []
        outboxes, self._dirty_outboxes = self._dirty_outboxes, []
        joined = Joined()
        blocked: list[Outbox] = []
        for fanout in fanouts:
            fanout.dirty = False
            for outbox in fanout.outboxes:
                if outbox.pending:
                    if outbox.blocked:
                        blocked.append(outbox)
                    else:
                        outbox.flush(joined)
        for outbox in outboxes:
            if outbox.pending:
                if outbox.blocked:
                    blocked.append(outbox)
                else:
                    outbox.flush(joined)
        # After the healthy ones are served.
        for outbox in blocked:
            if outbox.pending and not outbox.lazy:
                outbox.flush(joined)

    def wake(self, when: float, subscription: Subscription, topic: str) -> None:
        """Remember that a paced subscription has a message to send at a time."""
        self._due_count += 1
        heapq.heappush(self._due, (when, self._due_count, subscription, topic))

    def release(self, now: float) -> float | None:
        """Send held messages whose time has come; gives when the next is due."""
        while self._due and self._due[0][0] <= now:
            _, _, subscription, topic = heapq.heappop(self._due)
            if subscription not in self._members:
                self._due_stale -= 1
            elif subscription.pacer is not None:
                subscription.pacer.release(topic, now)
        return self._due[0][0] if self._due else None

    def _deliver(self, fanout: Fanout, run: Sequence[Publication]) -> None:
        if not run or not fanout.size:
            return
        for cohort, pendings in fanout.groups:
            items = list(map(cohort.encode, run))
            for pending in pendings:
                pending.extend(items)
        self.counters.messages_out += fanout.size * len(run)
        if not fanout.dirty:
            self._mark_fanout(fanout)

    def _mark_fanout(self, fanout: Fanout) -> None:
        fanout.dirty = True
        self._dirty_fanouts.append(fanout)
        if not self._scheduled:
            self._scheduled = True
            self._schedule()

    def _offer(self, publication: Publication, subscriptions: Iterable[Subscription]) -> None:
        now = self._clock()
        # A copy: delivering can give a slow connection up, which ends its subscriptions.
        for subscription in tuple(subscriptions):
            subscription.offer(publication, now)

    def _find(self, destination: str, known: Topic | None) -> Topic:
        """Find a topic's subscribers, again if it is known."""
        name = destination.removeprefix(TOPIC_PREFIX) if known is None else known.name
        if known is None:
            if not destination.startswith(TOPIC_PREFIX):
                raise SessionError("Bad destination", f"{quoted(destination)} is not a topic")
            validate_topic(name)
        nodes = self._tree.match_nodes(name)
        reserved = name.startswith(RESERVED_TOPICS)
        if not reserved:
            nodes += self._consumer_tree.match_nodes(name)
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

    def _tree_of(self, subscription: Subscription) -> TopicTree[tuple[Subscription, Outbox]]:
        return self._consumer_tree if subscription.options.confirms else self._tree

    def _filter_changed(self, destination: str, by: int) -> None:
        """Drop what a subscription on this filter, more or less, may have changed."""
        # Fan-outs are shared between topics by their nodes, and the nodes have changed.
        self._fanouts.clear()
        levels = parse_filter(destination.removeprefix(TOPIC_PREFIX), self._limits.filters)
        if by:
            self._first_levels[levels[0]] += by
            if not self._first_levels[levels[0]]:
                del self._first_levels[levels[0]]
        if is_exact(levels):
            if (topic := self.topics.get(destination)) is not None:
                topic.generation = STALE
        else:
            self.generation += 1

    def _forget_due(self, ended: int) -> None:
        """Count entries of a subscription that has ended, and drop all such once they are the most."""
        self._due_stale += ended
        if 2 * self._due_stale > len(self._due):
            self._due = [entry for entry in self._due if entry[2] in self._members]
            heapq.heapify(self._due)
            self._due_stale = 0

    def _to_dead_letters(self, destination: str, publication: Publication) -> None:
        self.counters.dropped["dead-letter"] += 1
        name = destination.removeprefix(PREFIX)
        dead = Publication(Address(f"{DEAD_PREFIX}{name}"), publication.number, publication.body, publication.headers)
        self.queue(dead.address.destination, bounded=False).put(dead)

    def _drop_if_idle(self, queue: Queue) -> None:
        if queue.idle:
            self.queues.pop(queue.destination, None)

    def _sweep(self) -> None:
        for queue in list(self.queues.values()):
            self._drop_if_idle(queue)
