"""One connection as the broker sees it: its subscriptions, its outbox, what it has to acknowledge.

Handlers take a frame that the session has checked, do the work, and raise a StompError where the client must be told
off. Queues see nothing of connections; connections see nothing of sockets (`Sink`).
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from hub.broker.acks import Delivery
from hub.broker.broker import Broker
from hub.broker.options import OnSlow, Options, parse_options
from hub.broker.outbox import Joined, Outbox, Sink
from hub.broker.publication import UNNAMED, Cohort, Framing, Item
from hub.broker.publisher import Arrival, Publisher, bad_destination, is_send
from hub.broker.queue_table import TEMP_PREFIX
from hub.broker.queues import PREFIX as QUEUE_PREFIX
from hub.broker.routing import TOPIC_PREFIX
from hub.broker.subscription import Subscription
from hub.stomp.dialects import Dialect
from hub.stomp.errors import POLICY_VIOLATION, SessionError
from hub.stomp.frames import NACK, Frame, UserHeaders, quoted
from hub.topics.names import TopicError


class ClientLimits(NamedTuple):
    """Bounds for one connection."""

    subscriptions: int = 128
    subscription_id_chars: int = 1_024
    outbox_bytes: int = 4_194_304


class Clock(Protocol):
    """Wakes the broker for held messages."""

    def wake_at(self, when: float) -> None: ...


class Client:
    """A connection that has been opened."""

    __slots__ = (
        "_acks",
        "_broker",
        "_clock",
        "_dialect",
        "_framing",
        "_limits",
        "_sink",
        "outbox",
        "publisher",
        "session_id",
        "subscriptions",
    )

    def __init__(
        self,
        broker: Broker,
        sink: Sink,
        clock: Clock,
        framing: Framing,
        dialect: Dialect,
        session_id: str,
        limits: ClientLimits,
        own_topic: str | None = None,
    ) -> None:
        """Take the parts; `own_topic` is the one reserved destination that this client, a bridge, may publish on."""
        self.subscriptions: dict[str, Subscription] = {}
        self.outbox = Outbox(sink, limits.outbox_bytes, self.subscriptions)
        self.session_id = session_id
        self._acks: dict[str, Subscription] = {}
        self._broker = broker
        self._sink = sink
        self._clock = clock
        self._framing = framing
        self._dialect = dialect
        self._limits = limits
        self.publisher = Publisher(broker, own_topic, self)

    # What the subscriptions need (`Recipient`).

    def push(self, item: Item) -> None:
        outbox = self.outbox
        pending = outbox.pending
        pending.append(item)
        # Frames that a flush left aside are not marked any more: they are again when a flush would take them.
        if len(pending) == 1 or (outbox.blocked and not outbox.lazy):
            self._broker.mark(outbox)

    def note_ack(self, ack_id: str, subscription: Subscription) -> None:
        self._acks[ack_id] = subscription

    def congested(self) -> bool:
        pending = self.outbox.pending
        if len(pending) >= _EARLY_FRAMES or (pending and len(pending[-1].wire) >= _EARLY_BYTES):
            # A queue asks before each message: what the peer takes is known only once it was tried.
            self.outbox.flush(Joined())
        return self.outbox.congested

    def give_up(self) -> None:
        self._sink.overflow()

    def wake(self, when: float, subscription: Subscription, topic: str) -> None:
        self._broker.agenda.wake(when, subscription, topic)
        self._clock.wake_at(when)

    # What the publisher needs (`TempQueues`).

    def own_queue(self, destination: str) -> str:
        """Give the hub-wide name of a temporary queue of this connection."""
        name = destination.removeprefix(TEMP_PREFIX)
        return f"{TEMP_PREFIX}{self.session_id}/{name}"

    def with_reply_queue(self, user_headers: UserHeaders, receipt: str | None) -> UserHeaders:
        """Make `reply-to:/temp-queue/…` an address that others can answer to, with a subscription that gets the answers.

        As RabbitMQ does: the answers come with `subscription:/temp-queue/<name>` unless the client subscribed itself.
        """
        reply_to = dict(user_headers.items).get("reply-to", "")
        if not reply_to.startswith(TEMP_PREFIX) or reply_to == TEMP_PREFIX:
            return user_headers
        own = self.own_queue(reply_to)
        if not any(subscription.destination == own for subscription in self.subscriptions.values()):
            if len(self.subscriptions) >= self._limits.subscriptions or reply_to in self.subscriptions:
                text = f"the answers to {quoted(reply_to)} need one more subscription than is allowed"
                raise SessionError("Too many subscriptions", text, POLICY_VIOLATION, receipt=receipt)
            self._begin(reply_to, own, Options(on_slow=OnSlow.DISCONNECT))
        items = ((name, own if name == "reply-to" else value) for name, value in user_headers.items)
        return UserHeaders(tuple(items))

    # What frames ask for.

    def commit(self, frames: Sequence[Frame], settles: bool, confirm: bool, arrivals: list[Arrival]) -> None:
        """Do the frames of a transaction in their order; see `Publisher.send_all`.

        Raises:
            SessionError: an acknowledgement is not outstanding, and nothing was done; or as `Publisher.send_all` does.
        """
        if not settles:
            self.publisher.send_all(frames, confirm, arrivals)
            return
        self._check_settlements(frames)
        for frame in frames:
            if is_send(frame):
                if (arrival := self.publisher.send(frame, confirm)) is not None:
                    arrivals.append(arrival)
            elif self._ack_id(frame) in self._acks:  # else an earlier cumulative one has covered it
                self.acknowledge(frame)

    def subscribe(self, frame: Frame) -> str:
        """Begin a subscription; gives its key.

        Raises:
            SessionError: the id is in use, one too many, or a header or the destination is not legal.
        """
        headers = frame.head.headers
        receipt = frame.receipt
        destination = headers["destination"]
        key = headers.get("id", UNNAMED + destination)
        if key in self.subscriptions:
            text = f"SUBSCRIBE: the id {quoted(key.lstrip(UNNAMED))} is in use on this connection"
            raise SessionError("Duplicate subscription", text, receipt=receipt)
        if len(self.subscriptions) >= self._limits.subscriptions:
            text = f"at most {self._limits.subscriptions} on one connection"
            raise SessionError("Too many subscriptions", text, POLICY_VIOLATION, receipt=receipt)
        if len(key) > self._limits.subscription_id_chars:
            raise SessionError(
                "Bad header",
                f"a subscription id has at most {self._limits.subscription_id_chars} characters",
                receipt=receipt,
            )
        self._subscribe(key, destination, frame)
        return key

    def after_subscribe(self, key: str) -> None:
        """Send what a new subscription begins with; its RECEIPT goes before that."""
        subscription = self.subscriptions[key]
        if subscription.options.replay_last and subscription.queue is None:
            self._broker.replay_last(subscription)
        if subscription.queue is not None:
            subscription.queue.dispatch()

    def unsubscribe(self, frame: Frame) -> None:
        """End a subscription: none of its messages is written after this.

        Raises:
            SessionError: there is no such subscription.
        """
        headers = frame.head.headers
        key = headers.get("id", UNNAMED + headers.get("destination", ""))
        subscription = self.subscriptions.get(key)
        if subscription is None:
            text = f"UNSUBSCRIBE: no subscription with id {quoted(key.lstrip(UNNAMED))} on this connection"
            raise SessionError("Unknown subscription", text, receipt=frame.receipt)
        # What was routed before may still go out; only what cannot be written now is taken back.
        self.outbox.flush(Joined())
        if key not in self.subscriptions:
            return  # given up as too slow: everything has ended
        unwritten = self.outbox.discard(key)
        del self.subscriptions[key]
        subscription.end()
        queue = subscription.queue
        self._broker.unsubscribe(subscription)
        if queue is not None:
            self._broker.queues.give_back(
                subscription.destination, [self._take_back(subscription, item) for item in unwritten]
            )

    def acknowledge(self, frame: Frame) -> None:
        """Settle deliveries by an ACK or NACK.

        Raises:
            SessionError: the id is not outstanding.
        """
        ack_id = self._ack_id(frame)
        subscription = self._acks.get(ack_id)
        if subscription is None or subscription.window is None:
            raise self._unknown_ack(frame, ack_id)
        taken = subscription.window.take(ack_id)
        for settled in taken:
            del self._acks[settled]
        nack = frame.head.command == NACK
        if subscription.awaited:
            headers = frame.head.headers
            subscription.settle(taken.values(), headers.get("reason", "its consumer refused it") if nack else None)
        if nack:
            self._nack(subscription, list(taken.values()), discard=frame.head.headers.get("requeue") == "false")
        subscription.resume()

    def close(self) -> None:
        """End everything: the client leaves. Unacknowledged work goes back to its queues."""
        subscriptions = dict(self.subscriptions)
        self.subscriptions.clear()
        # All of them leave before anything is given back: nothing may be delivered to this client again.
        for subscription in subscriptions.values():
            subscription.end()
            self._broker.unsubscribe(subscription)
        back: dict[str, list[Delivery]] = {}
        for item in self.outbox.take_messages():
            owner = None if item.cohort is None else subscriptions.get(item.cohort.key)
            if owner is not None and not owner.destination.startswith(TOPIC_PREFIX):
                back.setdefault(owner.destination, []).append(self._take_back(owner, item))
        for subscription in dict.fromkeys(self._acks.values()):
            if subscription.window is not None and not subscription.destination.startswith(TOPIC_PREFIX):
                back.setdefault(subscription.destination, []).extend(subscription.window.take_all().values())
        self._acks.clear()
        for destination, deliveries in back.items():
            self._broker.queues.give_back(
                destination, sorted(deliveries, key=lambda delivery: delivery.publication.number)
            )

    # The parts.

    def _subscribe(self, key: str, destination: str, frame: Frame) -> None:
        receipt = frame.receipt
        if destination.startswith(TEMP_PREFIX):
            destination = self.own_queue(destination)
        elif not destination.startswith((TOPIC_PREFIX, QUEUE_PREFIX)) or destination == QUEUE_PREFIX:
            text = "SUBSCRIBE takes /topic/<filter>, /queue/<name> or /temp-queue/<name>"
            raise bad_destination(destination, text, receipt)
        options = parse_options(frame.head.headers)
        if not destination.startswith(TOPIC_PREFIX):
            if options.confirms:
                text = "SUBSCRIBE: receipt-after-ack is for /topic/…; a queue keeps its messages itself"
                raise SessionError("Bad header", text, receipt=receipt)
            # Work is never dropped for a slow consumer: it goes to another one.
            options = options._replace(on_slow=OnSlow.DISCONNECT)
        try:
            self._begin(key, destination, options)
        except TopicError as error:
            raise bad_destination(destination, str(error), receipt) from None
        except SessionError as error:
            error.receipt = receipt
            raise

    def _begin(self, key: str, destination: str, options: Options) -> None:
        """Begin a subscription that is legal as far as headers tell; raises TopicError and SessionError."""
        dialect, framing = self._dialect, self._framing
        cohort = self._broker.cohort(key, dialect.version, framing, lambda: Cohort(key, dialect, framing))
        subscription = Subscription(
            destination, options, cohort, self, self._broker.counters, self._limits.outbox_bytes
        )
        self._broker.subscribe(subscription, self.outbox)
        self.subscriptions[key] = subscription

    def _check_settlements(self, frames: Sequence[Frame]) -> None:
        """Refuse a COMMIT one of whose acknowledgements is not outstanding, before any of it is done."""
        for frame in frames:
            if not is_send(frame) and self._ack_id(frame) not in self._acks:
                raise self._unknown_ack(frame, self._ack_id(frame))

    def _ack_id(self, frame: Frame) -> str:
        return frame.head.headers[self._dialect.ack_key]

    def _unknown_ack(self, frame: Frame, ack_id: str) -> SessionError:
        text = (
            f"{frame.head.command}: no message with ack id {quoted(ack_id)} is outstanding: it was acknowledged already, "
            "its subscription is in auto mode, or the id is from an earlier connection"
        )
        return SessionError("Unknown ack id", text, receipt=frame.receipt)

    def _nack(self, subscription: Subscription, deliveries: list[Delivery], *, discard: bool) -> None:
        if discard or subscription.destination.startswith(TOPIC_PREFIX):
            self._broker.counters.dropped["nack"] += len(deliveries)
        else:
            self._broker.queues.give_back(subscription.destination, deliveries)

    def _take_back(self, subscription: Subscription, item: Item) -> Delivery:
        """Undo the delivery of a queue's message that was never written."""
        if item.publication is None:
            raise ValueError("a frame without publication has no queue")
        attempt = 1 if ("redelivered", "true") in item.extra else 0
        if subscription.window is not None and item.message_id is not None:
            delivery = subscription.window.take_one(item.message_id)
            self._acks.pop(item.message_id, None)
            attempt = attempt if delivery is None else delivery.attempt - 1
        return Delivery(item.publication, attempt)


# While a queue delivers, the outbox is flushed after so many frames, or one of so many octets.
_EARLY_FRAMES = 32
_EARLY_BYTES = 65_536
