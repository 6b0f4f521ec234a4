"""What the frames of an open connection ask the broker for: headers into plain arguments, with the answer to a wrong one.

SENDs become `Sending`s, which are checked once for each header block of a connection: destination, access, address. They
are what the hot path looks up.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from hub.access.principal import Principal
from hub.broker.broker import Broker
from hub.broker.options import OnSlow, Options, parse_options, truth
from hub.broker.publication import BRIDGE, CLIENT, Address, Arrival, Headers
from hub.broker.subscriber import Subscriber
from hub.broker.subscription import Subscription
from hub.broker.topic import Topic
from hub.refusal import Reason, Refusal, quoted
from hub.stomp.decoder import MAX_CACHED_BLOCK_BYTES
from hub.stomp.dialects import Dialect
from hub.stomp.encoder import UNNAMED, Encoders, Framing
from hub.stomp.frames import NACK, SEND, Frame, Head
from hub.topics.destinations import Destination, Kind, parse_destination
from hub.topics.names import SEPARATOR, TopicError

MAX_SENDINGS: Final = 5_000  # header blocks that a connection remembers
SENDING_BYTES: Final = 2_048  # what one takes, about: those that were not cached are not remembered either


class Sending(NamedTuple):
    """Where the SENDs of a header block go, and what travels with them."""

    address: Address
    headers: Headers


class Commands:
    """The frames of one connection."""

    __slots__ = (
        "_broker",
        "_dialect",
        "_encoders",
        "_framing",
        "_session_id",
        "_subscriber",
        "origin",
        "principal",
        "sendings",
    )

    def __init__(
        self,
        broker: Broker,
        subscriber: Subscriber,
        encoders: Encoders,
        dialect: Dialect,
        framing: Framing,
        session_id: str,
        principal: Principal,
        sendings: dict[Head, Sending],
    ) -> None:
        """Take the parts; `sendings` is filled with what was checked."""
        self.principal = principal
        self.origin = (CLIENT if principal.bridge is None else BRIDGE)._replace(principal=principal.login)
        self.sendings = sendings
        self._broker = broker
        self._subscriber = subscriber
        self._encoders = encoders
        self._dialect = dialect
        self._framing = framing
        self._session_id = session_id

    # SEND

    def check_send(self, frame: Frame) -> None:
        """Check that a SEND of a transaction can be routed, before anything is done.

        Raises:
            Refusal: destination not legal, not allowed, or nobody waits there.
        """
        if frame.head not in self.sendings:
            self._sending(frame)

    def arrival(self, frame: Frame) -> Arrival:
        """Return what a SEND publishes.

        Raises:
            Refusal: as `check_send` does; or the subscription for its answers would be one too many.
        """
        head, body, _ = frame
        address, headers = self.sendings.get(head) or self._sending(frame)
        if head.wants_reply:
            headers = self._with_reply_queue(headers, frame.receipt)
        return Arrival(address, body, headers)

    def apart(self, address: Address, receipt: str | None) -> bool:
        """Whether a message there cannot go together with others: its queue may be full, or its receipt waits for an ACK."""
        if not isinstance(address, Topic):
            return True
        return (
            receipt is not None and self.origin.consumed and bool(self._broker.routing.fresh(address).fanout.consumers)
        )

    def _sending(self, frame: Frame) -> Sending:
        head = frame.head
        destination = self._destination(head.headers["destination"], frame.receipt)
        if not self.principal.may_send(destination):
            text = f"{quoted(destination.text)} is written by the hub alone"
            raise Refusal(Reason.NOT_ALLOWED, text, about=destination.text, receipt=frame.receipt)
        try:
            if self.origin.bridged:
                truth(head.headers, "retained")
            if destination.kind is Kind.TEMP_QUEUE:
                return Sending(Address(self._reply_queue(destination)), head.user_headers)
            sending = Sending(self._broker.address(destination), head.user_headers)
        except TopicError as error:
            raise _bad_destination(destination.text, str(error), frame.receipt) from None
        except Refusal as error:
            error.receipt = frame.receipt
            raise
        if head.size > MAX_CACHED_BLOCK_BYTES:
            return sending  # its head is decoded again each time, and would not be found
        if len(self.sendings) >= MAX_SENDINGS:
            self.sendings.clear()
        self.sendings[head] = sending
        return sending

    def _reply_queue(self, destination: Destination) -> Destination:
        """Return the temporary queue that an answer goes to: this connection's own, or by its name in the hub."""
        own = self._own_queue(destination.name)
        if own in self._broker.queues:
            return own
        if SEPARATOR not in destination.name:
            text = f"nobody waits on {quoted(destination.text)}: answer to the reply-to of the message, as it is"
            raise Refusal(Reason.NO_REPLY_QUEUE, text, about=destination.text)
        return destination  # where the requester has gone, its answer is dropped and counted

    def _own_queue(self, name: str) -> Destination:
        """Return the name in the hub of a temporary queue of this connection."""
        return Destination(Kind.TEMP_QUEUE, f"{self._session_id}/{name}")

    def _with_reply_queue(self, headers: Headers, receipt: str | None) -> Headers:
        """Make `reply-to:/temp-queue/…` an address that others can answer to, with a subscription that gets the answers.

        As RabbitMQ does: the answers come with `subscription:/temp-queue/<name>` unless the client subscribed itself.
        """
        reply_to = dict(headers.items).get("reply-to", "")
        try:
            destination = parse_destination(reply_to)
        except TopicError:
            return headers
        if destination.kind is not Kind.TEMP_QUEUE:
            return headers
        own = self._own_queue(destination.name)
        if not any(known.destination == own for known in self._subscriber.subscriptions.values()):
            try:
                self._subscribe(reply_to, own, Options(on_slow=OnSlow.DISCONNECT))
            except Refusal as error:
                text = f"the answers to {quoted(reply_to)} need one more subscription: {error.detail}"
                raise Refusal(error.reason, text, about="reply-to", receipt=receipt) from None
        items = tuple((name, own.text if name == "reply-to" else value) for name, value in headers.items)
        return Headers(items)

    # SUBSCRIBE, UNSUBSCRIBE

    def subscribe(self, frame: Frame) -> Subscription:
        """Begin a subscription.

        Raises:
            Refusal: the id is in use, one too many, not allowed, or a header or the destination is not legal.
        """
        headers = frame.head.headers
        receipt = frame.receipt
        destination = self._destination(headers["destination"], receipt)
        key = headers.get("id", UNNAMED + destination.text)
        if destination.kind is Kind.TEMP_QUEUE:
            destination = self._own_queue(destination.name)
        try:
            options = parse_options(headers)
            self._check_subscribe(destination, options)
            return self._subscribe(key, destination, options)
        except Refusal as error:
            error.detail = f"SUBSCRIBE: {error.detail}"
            error.receipt = receipt
            raise

    def unsubscribe(self, frame: Frame) -> None:
        """End a subscription.

        Raises:
            Refusal: there is no such subscription.
        """
        headers = frame.head.headers
        try:
            self._subscriber.unsubscribe(headers.get("id", UNNAMED + headers.get("destination", "")))
        except Refusal as error:
            error.receipt = frame.receipt
            raise

    def _check_subscribe(self, destination: Destination, options: Options) -> None:
        if not self.principal.may_subscribe(destination, confirms=options.confirms):
            text = "receipt-after-ack is for bridges, on topics: connect with the header telemetry-bridge"
            raise Refusal(Reason.NOT_ALLOWED, text, about="receipt-after-ack")

    def _subscribe(self, key: str, destination: Destination, options: Options) -> Subscription:
        encode = self._encoders.of(key, self._dialect, self._framing)
        return self._subscriber.subscribe(key, destination, options, encode)

    # ACK, NACK

    def check_settlements(self, frames: Sequence[Frame]) -> None:
        """Check that the acknowledgements of a transaction are outstanding, before any of it is done.

        Raises:
            Refusal: one is not.
        """
        for frame in frames:
            if frame.head.command != SEND:
                ack_id = self._ack_id(frame)
                if not self._subscriber.outstanding(ack_id):
                    raise self._subscriber.unknown_ack(ack_id, f"{frame.head.command}: ", frame.receipt)
                truth(frame.head.headers, "requeue")

    def settle(self, frame: Frame, *, covered: bool = False) -> None:
        """Do an ACK or NACK; `covered` accepts ids that an earlier, cumulative one of its transaction has covered.

        Raises:
            Refusal: the id is not outstanding, or a header is not legal.
        """
        ack_id = self._ack_id(frame)
        if covered and not self._subscriber.outstanding(ack_id):
            return
        headers = frame.head.headers
        try:
            if frame.head.command == NACK:
                requeue = truth(headers, "requeue", default=True)
                self._subscriber.reject(ack_id, headers.get("reason", "its consumer refused it"), requeue=requeue)
            else:
                self._subscriber.acknowledge(ack_id)
        except Refusal as error:
            error.detail = f"{frame.head.command}: {error.detail}"
            error.receipt = frame.receipt
            raise

    def _ack_id(self, frame: Frame) -> str:
        return frame.head.headers[self._dialect.ack_key]

    def _destination(self, text: str, receipt: str | None) -> Destination:
        try:
            return parse_destination(text)
        except TopicError as error:
            raise _bad_destination(text, str(error), receipt) from None


def _bad_destination(text: str, why: str, receipt: str | None) -> Refusal:
    return Refusal(Reason.BAD_DESTINATION, f"{quoted(text)}: {why}", about=text, receipt=receipt)
