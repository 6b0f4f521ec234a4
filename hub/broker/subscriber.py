"""One connection as the broker sees it, whatever it speaks: its subscriptions, its outbox, what it has to acknowledge.

Plain arguments in; a `Refusal` where something is not possible. Queues see nothing of connections; connections see
nothing of sockets (`Sink`).
"""

from collections.abc import Iterable
from typing import NamedTuple

from hub.broker.broker import Broker
from hub.broker.options import OnSlow, Options
from hub.broker.outbox import Joined, Outbox, Sink
from hub.broker.publication import Cohort, Encode, Item
from hub.broker.subscription import Subscription
from hub.broker.window import Delivery
from hub.refusal import Reason, Refusal, quoted
from hub.topics.destinations import Destination, Kind
from hub.topics.names import TopicError


class SubscriberLimits(NamedTuple):
    """Bounds for one connection."""

    subscriptions: int = 128
    subscription_id_chars: int = 1_024
    outbox_bytes: int = 4_194_304


class Kept(NamedTuple):
    """Bytes that are kept for one connection."""

    outbox: int
    held: int  # by windows and pacers, for its subscriptions on topics
    work: int  # deliveries of work queues that are not acknowledged


class Subscriber:
    """The subscriptions of one connection."""

    __slots__ = ("_acks", "_broker", "_limits", "outbox", "subscriptions")

    def __init__(self, broker: Broker, sink: Sink, limits: SubscriberLimits) -> None:
        self.subscriptions: dict[str, Subscription] = {}
        self.outbox = Outbox(sink, limits.outbox_bytes, self.subscriptions, broker.marker, self._park)
        self._acks: dict[str, Subscription] = {}
        self._broker = broker
        self._limits = limits

    def subscribe(self, key: str, destination: Destination, options: Options, encode: Encode) -> Subscription:
        """Begin a subscription; `begin` sends its first messages.

        Args:
            key: its name on this connection.
            destination: a topic filter or a queue.
            options: what it asks for.
            encode: turns its messages into what the connection's peer reads.

        Raises:
            Refusal: the key is in use, the memory, one too many, or the destination or an option is not legal there.
        """
        limits = self._limits
        self._broker.budget.admit("a subscription", destination.text)
        if key in self.subscriptions:
            text = f"the id {quoted(named(key))} is in use on this connection"
            raise Refusal(Reason.DUPLICATE_SUBSCRIPTION, text, about=named(key))
        if len(self.subscriptions) >= limits.subscriptions:
            text = f"at most {limits.subscriptions} on one connection"
            raise Refusal(Reason.TOO_MANY_SUBSCRIPTIONS, text, about=destination.text)
        if len(key) > limits.subscription_id_chars:
            text = f"a subscription id has at most {limits.subscription_id_chars} characters"
            raise Refusal(Reason.BAD_HEADER, text, about="id")
        if destination.kind is not Kind.TOPIC:
            if options.confirms:
                text = "receipt-after-ack is for /topic/…; a queue keeps its messages itself"
                raise Refusal(Reason.BAD_HEADER, text, about="receipt-after-ack")
            # Work is never dropped for a slow consumer: it goes to another one.
            options = options._replace(on_slow=OnSlow.DISCONNECT)
        broker = self._broker
        cohort = Cohort(key, encode)
        subscription = Subscription(destination, options, cohort, self.outbox, self._acks, broker.counters, broker.wake)
        try:
            broker.subscribe(subscription, self.outbox)
        except TopicError as error:
            raise Refusal(Reason.BAD_DESTINATION, str(error), about=destination.text) from None
        self.subscriptions[key] = subscription
        return subscription

    def begin(self, subscription: Subscription) -> None:
        """Send what a new subscription begins with."""
        self._broker.begin(subscription)

    def unsubscribe(self, key: str) -> None:
        """End a subscription: none of its messages is written after this.

        Raises:
            Refusal: there is no such subscription.
        """
        if key not in self.subscriptions:
            text = f"no subscription with id {quoted(named(key))} on this connection"
            raise Refusal(Reason.UNKNOWN_SUBSCRIPTION, text, about=named(key))
        # What was routed before may still go out; only what cannot be written now is taken back.
        self.outbox.flush(Joined())
        subscription = self.subscriptions.get(key)
        if subscription is None:
            return  # closed as too slow: everything has ended
        unwritten = self.outbox.discard(key)
        del self.subscriptions[key]
        subscription.end()
        self._broker.unsubscribe(subscription)
        if subscription.destination.kind is not Kind.TOPIC:
            self._give_back(subscription.destination, [self._take_back(subscription, item) for item in unwritten])

    def outstanding(self, ack_id: str) -> bool:
        """Whether a delivery waits to be acknowledged."""
        return ack_id in self._acks

    def acknowledge(self, ack_id: str) -> None:
        """Settle what an ACK of this id covers.

        Raises:
            Refusal: the id is not outstanding.
        """
        subscription, taken = self._settle(ack_id)
        subscription.settle(taken, None)
        self._resume(subscription)

    def reject(self, ack_id: str, why: str, *, requeue: bool) -> None:
        """Settle what a NACK of this id covers: back to the queue, or dropped.

        Raises:
            Refusal: the id is not outstanding.
        """
        subscription, taken = self._settle(ack_id)
        subscription.settle(taken, why)
        if requeue and subscription.destination.kind is not Kind.TOPIC:
            self._give_back(subscription.destination, taken)
        else:
            self._broker.counters.dropped["nack"] += len(taken)
        self._resume(subscription)

    def kept(self) -> Kept:
        """Return the memory that is taken for this connection alone."""
        held = work = 0
        for subscription in self.subscriptions.values():
            held += subscription.held_bytes
            if (window := subscription.window) is not None:
                if subscription.destination.kind is Kind.TOPIC:
                    held += window.acks.bytes
                else:
                    work += window.acks.bytes
        return Kept(self.outbox.kept_bytes, held, work)

    def shed(self) -> None:
        """Give memory back: the older half of what waits and may be dropped."""
        self.outbox.shed()
        for subscription in self.subscriptions.values():
            if subscription.window is not None:
                subscription.window.shed()

    def resume(self) -> None:
        """Resume writing: the sink is no longer busy."""
        self.outbox.flush(Joined())
        if self.outbox.congested:
            return
        for subscription in tuple(self.subscriptions.values()):
            self._resume(subscription)

    def close(self) -> None:
        """End everything: the connection leaves. Unacknowledged work goes back to its queues."""
        subscriptions = dict(self.subscriptions)
        self.subscriptions.clear()
        # All of them leave before anything is returned: nothing may be delivered to this connection again.
        for subscription in subscriptions.values():
            subscription.end()
            self._broker.unsubscribe(subscription)
        back: dict[Destination, list[Delivery]] = {}
        for item in self.outbox.take_messages():
            owner = None if item.cohort is None else subscriptions.get(item.cohort.key)
            if owner is not None and owner.destination.kind is not Kind.TOPIC:
                back.setdefault(owner.destination, []).append(self._take_back(owner, item))
        for subscription in dict.fromkeys(self._acks.values()):
            if subscription.window is not None and subscription.destination.kind is not Kind.TOPIC:
                taken = subscription.window.acks.take_all().values()
                back.setdefault(subscription.destination, []).extend(taken)
        self._acks.clear()
        for destination, deliveries in back.items():
            self._give_back(destination, deliveries)

    def _settle(self, ack_id: str) -> tuple[Subscription, list[Delivery]]:
        subscription = self._acks.get(ack_id)
        if subscription is None or subscription.window is None:
            raise self.unknown_ack(ack_id)
        taken = subscription.window.acks.take(ack_id)
        for settled in taken:
            del self._acks[settled]
        return subscription, list(taken.values())

    def unknown_ack(self, ack_id: str, where: str = "", receipt: str | None = None) -> Refusal:
        """Return the refusal of an id that is not outstanding."""
        why = (
            "it was acknowledged already, its subscription is in auto mode, or the id is from an earlier connection"
            if self._broker.counters.is_ours(ack_id)
            else "it is none that this run of the hub gave: after a restart messages come again, with new ids"
        )
        text = f"{where}no message with ack id {quoted(ack_id)} is outstanding: {why}"
        return Refusal(Reason.UNKNOWN_ACK_ID, text, about=ack_id, receipt=receipt)

    def _resume(self, subscription: Subscription) -> None:
        if subscription.destination.kind is Kind.TOPIC:
            self._broker.release(subscription)
        else:
            self._broker.queues.dispatch(subscription.destination)

    def _give_back(self, destination: Destination, deliveries: Iterable[Delivery]) -> None:
        in_order = sorted(deliveries, key=lambda delivery: delivery.publication.number)
        self._broker.queues.give_back(destination, in_order)

    def _take_back(self, subscription: Subscription, item: Item) -> Delivery:
        """Undo the delivery of a queue's message that was never written."""
        if item.publication is None:
            raise ValueError("an item without publication has no queue")
        attempt = 1 if ("redelivered", "true") in item.extra else 0
        if subscription.window is not None and item.message_id is not None:
            delivery = subscription.window.acks.take_one(item.message_id)
            self._acks.pop(item.message_id, None)
            attempt = attempt if delivery is None else delivery.attempt - 1
        return Delivery(item.publication, attempt)

    def _park(self, parked: bool) -> None:
        for subscription in self.subscriptions.values():
            if (channel := self._broker.channel(subscription)) is not None:
                (channel.park if parked else channel.come_back)(subscription)


def named(key: str) -> str:
    """Return a key as people know it: for STOMP 1.0, those without an id by a NUL before the destination."""
    return key.lstrip("\0")
