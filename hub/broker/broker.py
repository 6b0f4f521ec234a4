"""The fan-out: from a publication to the outboxes of everybody who subscribed.

Messages enter it in `publish_on`, those that came together in `publish_all`; who gets them says `routing`. Subscribers
are grouped in cohorts that share one encoded frame. Nothing is written here: outboxes with new frames are flushed
together, once per tick, by whoever passed `schedule`. Work queues (`queues`) and held messages (`agenda`) are apart.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from hub.broker.agenda import Agenda
from hub.broker.confirmations import Confirmation
from hub.broker.counters import Counters
from hub.broker.outbox import Joined, Outbox
from hub.broker.publication import Address, Cohort, Publication, new_publication
from hub.broker.queue_table import QueueTable
from hub.broker.queues import QueueLimits
from hub.broker.routing import TOPIC_PREFIX, Routing
from hub.broker.subscription import Subscription
from hub.broker.topic import NOBODY, Fanout, Outgoing, Topic, Topics
from hub.stomp.frames import NO_HEADERS, UserHeaders
from hub.topics.names import FilterLimits
from hub.topics.tree import TopicTree


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
        self.routing = Routing(limits.filters, self.topics)
        self.queues = QueueTable(limits.queues, self.counters)
        # Give the last messages of topics that are only encoded when wanted, for `replay:last`.
        self.replay_sources: list[ReplaySource] = []
        self.confirmations: set[Confirmation] = set()  # that are open
        self._limits = limits
        self._clock = clock
        self._schedule = schedule
        self._scheduled = False
        self._members: dict[Subscription, Outbox] = {}
        self.agenda = Agenda(self._members)
        self._cohorts: dict[tuple[str, str, object], Cohort] = {}
        self._dirty_fanouts: list[Fanout] = []
        self._dirty_outboxes: list[Outbox] = []

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
        return self.publish_on(self.routing.topic(destination), body, headers, value)

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
            # Delivering has given a slow connection up, or the messages before this one had the topic forgotten.
            if topic.generation != self.routing.generation:
                topic = self.routing.topic(topic.address.destination)  # noqa: PLW2901 - the same one, found again
            if topic.kept:
                self.topics.keep(topic, (number, body, headers))
            if topic.fanout is not fanout:
                self._deliver(fanout, run)
                run = []
                fanout = topic.fanout
            if fanout.wanted:
                publication = new_publication(Publication, (topic.address, number, body, headers, value))
                run.append(publication)
                if special := fanout.special if consumed else fanout.bystanders:
                    self._deliver(fanout, run)
                    run = []
                    self._offer(publication, special)
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
        return self.routing.topic(destination).fanout.wanted

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
            SessionError: there are too many queues.
        """
        if subscription.destination.startswith(TOPIC_PREFIX):
            self.routing.add(subscription, outbox)
        else:
            self.queues.join(subscription)
        self._members[subscription] = outbox

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription; nothing is delivered to it any more."""
        outbox = self._members.pop(subscription, None)
        if outbox is None:
            return
        if subscription.pacer is not None:
            self.agenda.forget(subscription.pacer.holding)
        if subscription.destination.startswith(TOPIC_PREFIX):
            self.routing.remove(subscription, outbox)
        else:
            self.queues.leave(subscription)

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
        for outbox in chain(*[fanout.outboxes for fanout in fanouts], outboxes):
            if outbox.pending:
                if outbox.blocked:
                    blocked.append(outbox)
                else:
                    outbox.flush(joined)
        # After the healthy ones are served.
        for outbox in blocked:
            if outbox.pending and not outbox.lazy:
                outbox.flush(joined)

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
