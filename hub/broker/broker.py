"""The fan-out: from what is published to the outboxes of everybody who subscribed.

`Broker.publish` is the only way in: local clients, bridges, the hub itself, later another hub. `routing` decides who gets
a message; subscribers are grouped in channels that share encoded bytes. Nothing is written here: outboxes with new items
are flushed together, once per tick, by whoever passed `schedule`. Work queues are in `queues`.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple

from hub.broker.agenda import Agenda
from hub.broker.budget import NAMES, UNBOUNDED, Budget
from hub.broker.channel import Channel
from hub.broker.confirmations import Confirmation
from hub.broker.counters import Counters
from hub.broker.outbox import Joined, Outbox
from hub.broker.publication import Address, Arrival, Headers, Item, Origin, Publication, new_item, new_publication
from hub.broker.queue_table import QueueTable
from hub.broker.queues import QueueLimits
from hub.broker.routing import Member, Routing
from hub.broker.subscription import Subscription
from hub.broker.topic import NOBODY, Fanout, Topic, Topics
from hub.topics.destinations import Destination, Kind
from hub.topics.names import FilterLimits, parse_filter


class BrokerLimits(NamedTuple):
    """Bounds on what the broker remembers."""

    filters: FilterLimits = FilterLimits()
    queues: QueueLimits = QueueLimits()
    topics: int = 100_000
    retained_bytes: int = 33_554_432
    memory_bytes: int = UNBOUNDED


# Given a filter's levels, returns the last message of each topic that matches, one by one.
ReplaySource = Callable[[tuple[str, ...]], Iterator[Arrival]]
# Takes messages on topics and where they come from; returns what their receipts have to wait for: see `Broker.publish`.
Tap = Callable[[Sequence[Arrival], Origin], Iterable[Hashable]]


class Broker:
    """Topics, queues and who subscribed to them."""

    def __init__(
        self,
        limits: BrokerLimits,
        epoch: str,
        clock: Callable[[], float],
        schedule: Callable[[], None],
        wake_at: Callable[[float], None],
    ) -> None:
        """Build an empty one.

        Args:
            limits: bounds.
            epoch: letters and digits that no earlier run of a hub had: part of all message ids.
            clock: the time, s, monotonic.
            schedule: asks for a `flush` soon.
            wake_at: asks for a `release` at a time.
        """
        self.epoch = epoch
        self.counters = Counters(epoch)
        self.budget = Budget(limits.memory_bytes)
        name_bytes = int(NAMES * limits.memory_bytes)
        self.topics = Topics(limits.topics, limits.retained_bytes, name_bytes, self.counters.dropped)
        self.routing = Routing(limits.filters, self.topics)
        self.queues = QueueTable(limits.queues, self.counters, self.budget)
        self.taps: list[Tap] = []
        # Know the last messages of topics that are only encoded when wanted, for `replay:last`.
        self.replay_sources: list[ReplaySource] = []
        self.confirmations: set[Confirmation] = set()  # that are open
        self._limits = limits
        self._clock = clock
        self._schedule = schedule
        self._wake_at = wake_at
        self._scheduled = False
        self._members: dict[Subscription, Member | None] = {}  # None: on a queue
        self.agenda = Agenda(self._members)
        self.marker = self.mark  # one object for all outboxes
        self._dirty_channels: list[Channel] = []
        self._dirty_outboxes: list[Outbox] = []

    @property
    def subscriptions(self) -> int:
        """Return how many there are, on topics and queues."""
        return len(self._members)

    def address(self, destination: Destination) -> Address:
        """Return where to publish; keep it for the next message.

        Raises:
            TopicError: the name is not legal.
        """
        return self.routing.topic(destination) if destination.kind is Kind.TOPIC else Address(destination)

    def publish(self, batch: Sequence[Arrival], origin: Origin, *, confirm: bool = False) -> Sequence[Hashable]:
        """Deliver messages that came together, in their order: all of them, or none.

        Return what a receipt for them has to wait for: futures of the taps, and with `confirm` the `Confirmation` of the
        consumers; empty where everything is done.

        Raises:
            Refusal: a work queue has no room; TopicError: a topic's name is not legal.
        """
        queued = [arrival for arrival in batch if arrival[0].__class__ is not Topic]
        if queued:
            self.queues.check_room(queued)
        counters = self.counters
        routing = self.routing
        number = counters.number
        counters.messages_in += len(batch)
        counters.number += len(batch)
        confirmation: Confirmation | None = None
        keep = self.topics.keep if origin.kept else None
        consumed = origin.consumed
        run: list[Publication] = []
        fanout = NOBODY
        for address, body, headers, value in batch:
            number += 1
            if not isinstance(address, Topic):
                self._deliver(fanout, run, consumed)
                fanout, run = NOBODY, []
                self.queues.put(new_publication(Publication, (address, number, body, headers, value)))
                continue
            # Delivering the earlier ones may have closed a slow connection, or evicted the topic.
            topic = address if address.generation == routing.generation else routing.fresh(address)
            if keep is not None:
                keep(topic, (number, body, headers))
            if topic.fanout is not fanout:
                self._deliver(fanout, run, consumed)
                fanout, run = topic.fanout, []
            if fanout.everybody:
                run.append(new_publication(Publication, (topic, number, body, headers, value)))
                if confirm and consumed and fanout.consumers:
                    confirmation = confirmation or Confirmation(self.confirmations)
                    fanout.expect(confirmation, number)
        self._deliver(fanout, run, consumed)
        waits: Sequence[Hashable] = ()
        if origin.tapped:
            on_topics = [arrival for arrival in batch if arrival[0].__class__ is Topic] if queued else batch
            for tap in self.taps:
                waits = (*waits, *tap(on_topics, origin))
        return waits if confirmation is None else (*waits, confirmation)

    def publish_one(
        self, destination: Destination, body: bytes, headers: Headers, origin: Origin, value: float | None = None
    ) -> None:
        """Publish a message of the hub's own.

        Raises:
            TopicError: the topic's name is not legal.
        """
        self.publish((Arrival(self.address(destination), body, headers, value),), origin)

    def wanted(self, topic_name: str) -> bool:
        """Whether anybody would get a message of the hub's own on a topic.

        Raises:
            TopicError: the topic's name is not legal.
        """
        return self.routing.topic(Destination(Kind.TOPIC, topic_name)).fanout.wanted

    def subscribe(self, subscription: Subscription, outbox: Outbox) -> None:
        """Add a subscription; `begin` sends its first messages.

        Raises:
            TopicError: its topic filter is not legal.
            Refusal: there are too many queues.
        """
        member: Member | None = None
        destination = subscription.destination
        if destination.kind is Kind.TOPIC:
            options = subscription.options
            if options.replay_last:
                subscription.catch_up(self._last_messages(parse_filter(destination.name, self._limits.filters)))
            member = Member(subscription, outbox, destination.name, consumer=options.confirms)
            self.routing.add(member, None if subscription.plain else subscription.offer)
        else:
            self.queues.join(subscription)
        self._members[subscription] = member

    def begin(self, subscription: Subscription) -> None:
        """Send what a new subscription begins with."""
        if subscription.destination.kind is Kind.TOPIC:
            self.release(subscription)
        else:
            self.queues.dispatch(subscription.destination)

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription; nothing is delivered to it any more."""
        if subscription not in self._members:
            return
        member = self._members.pop(subscription)
        self.agenda.forget(subscription)
        if member is not None:
            self.routing.remove(member)
        else:
            self.queues.leave(subscription)

    def channel(self, subscription: Subscription) -> Channel | None:
        """Return the channel of a subscription on topics."""
        member = self._members.get(subscription)
        return None if member is None else member.channel

    def wake(self, when: float, subscription: Subscription) -> None:
        """Release a subscription at a time."""
        if self.agenda.wake(when, subscription):
            self._wake_at(when)

    def release(self, subscription: Subscription) -> None:
        """Release what a subscription holds and may send now."""
        when = subscription.release(self._clock())
        member = self._members.get(subscription)
        if member is not None and subscription.caught_up():
            self.routing.add(member, None if subscription.plain else subscription.offer)
        if when is not None and subscription in self._members:
            self.wake(when, subscription)

    def release_due(self, now: float) -> float | None:
        """Release the subscriptions whose time has come; return when to call again."""
        for subscription in self.agenda.take(now):
            if subscription in self._members:
                self.release(subscription)
        return self.agenda.next_s

    def mark(self, outbox: Outbox) -> None:
        """Note that an outbox has items to flush."""
        self._dirty_outboxes.append(outbox)
        if not self._scheduled:
            self._scheduled = True
            self._schedule()

    def flush(self) -> None:
        """Write what gathered since the last flush."""
        self._scheduled = False
        channels, self._dirty_channels = self._dirty_channels, []
        outboxes, self._dirty_outboxes = self._dirty_outboxes, []
        joined = Joined()
        for channel in channels:
            channel.dirty = False
            for outbox in list(channel.outboxes.values()):  # blocked members leave them
                if outbox.pending:
                    outbox.flush(joined)
        for outbox in outboxes:
            if outbox.pending and not outbox.lazy:
                outbox.flush(joined)
        # After the healthy ones were served.
        for channel in channels:
            channel.look()

    def _deliver(self, fanout: Fanout, run: Sequence[Publication], consumed: bool) -> None:
        if not run:
            return
        for cohort, channels in fanout.everybody if consumed else fanout.groups:
            items: list[Item] | None = None
            for channel in channels:
                active = channel.active
                if active or channel.log is not None:
                    if items is None:
                        encode = cohort.encode
                        items = [new_item(Item, (encode(one, (), None), cohort, one, (), None, 0)) for one in run]
                    for pending in active.values():
                        pending.extend(items)
                    if channel.log is not None:
                        channel.log.extend(items)
                    self.counters.messages_out += len(items) * len(active)
                    if not channel.dirty:
                        self._mark_channel(channel)
                if channel.special:
                    self._offer(channel, run)

    def _mark_channel(self, channel: Channel) -> None:
        channel.dirty = True
        self._dirty_channels.append(channel)
        if not self._scheduled:
            self._scheduled = True
            self._schedule()

    def _offer(self, channel: Channel, run: Sequence[Publication]) -> None:
        now = self._clock()
        # A copy: delivering can close a slow connection, which ends its subscriptions.
        for offer in tuple(channel.special.values()):
            for publication in run:
                offer(publication, now)

    def _last_messages(self, levels: tuple[str, ...]) -> Iterator[Publication]:
        for source in self.replay_sources:
            for address, body, headers, value in source(levels):
                self.counters.number += 1
                yield Publication(address, self.counters.number, body, headers, value)
        yield from self.topics.last_messages(levels)
