"""What a connection sends: SENDs on their way to topics and queues.

A SEND to a topic that has been published on before, without receipts to wait for, is the hot path: such SENDs of a
transaction are handed to the broker together.
"""

from collections.abc import Sequence
from typing import Protocol, TypeAlias

from hub.broker.broker import Broker
from hub.broker.confirmations import Confirmation
from hub.broker.queue_table import TEMP_PREFIX
from hub.broker.queues import PREFIX as QUEUE_PREFIX
from hub.broker.routing import TOPIC_PREFIX
from hub.broker.topic import Outgoing, Topic
from hub.stomp.errors import POLICY_VIOLATION, SessionError
from hub.stomp.frames import SEND, Frame, UserHeaders, quoted
from hub.topics.names import TopicError

Arrival: TypeAlias = tuple[str, bytes, str | None, bool]
"""A message that went to a topic: its name without `/topic/`, body, content-type, whether it is a retained one."""


class TempQueues(Protocol):
    """What the client knows of its temporary queues."""

    def own_queue(self, destination: str) -> str:
        """Give the hub-wide name of one."""

    def with_reply_queue(self, user_headers: UserHeaders, receipt: str | None) -> UserHeaders:
        """Make the headers of a SEND whose answers the client waits for."""


class Publisher:
    """The sending half of a client."""

    __slots__ = ("_broker", "_own_topic", "_temp_queues", "confirmation")

    def __init__(self, broker: Broker, own_topic: str | None, temp_queues: TempQueues) -> None:
        """Take the parts; `own_topic` is the one reserved destination that this client, a bridge, may publish on.

        What a bridge sends was MQTT, and does not reach consumers, which would take it back there.
        """
        self.confirmation: Confirmation | None = None  # of what was sent since this was last taken
        self._broker = broker
        self._own_topic = own_topic
        self._temp_queues = temp_queues

    def check(self, frame: Frame) -> None:
        """Refuse a SEND that cannot be routed, before anything is done.

        Raises:
            SessionError: destination unknown, reserved or not legal.
        """
        destination = frame.head.headers["destination"]
        if destination.startswith(TOPIC_PREFIX):
            self._topic(destination, frame.receipt)
        elif not destination.startswith((QUEUE_PREFIX, TEMP_PREFIX)) or destination in {QUEUE_PREFIX, TEMP_PREFIX}:
            text = "destinations begin with /topic/, /queue/ or /temp-queue/ and have a name"
            raise bad_destination(destination, text, frame.receipt)

    def send(self, frame: Frame, confirm: bool = False) -> Arrival | None:
        """Route a SEND; gives what went to a topic.

        With `confirm` the `confirmation` waits for its consumers, if it has any.

        Raises:
            SessionError: destination unknown, reserved or not legal; the queue is full.
        """
        head, body, receipt = frame
        destination = head.headers["destination"]
        user_headers = head.kept_user_headers or head.user_headers
        if head.wants_reply:
            user_headers = self._temp_queues.with_reply_queue(user_headers, receipt)
        routing = self._broker.routing
        topic = routing.topics.get(destination)
        if topic is None or topic.generation != routing.generation or topic.reserved:
            if not destination.startswith(TOPIC_PREFIX):
                self._enqueue(frame, user_headers)
                return None
            topic = self._topic(destination, receipt)
        bridged = self._own_topic is not None
        if confirm and not bridged and topic.fanout.consumers:
            self._confirm(topic)
        self._broker.publish_on(topic, body, user_headers, consumed=not bridged)
        return topic.name, body, head.content_type, head.retained

    def send_all(self, frames: Sequence[Frame], confirm: bool, arrivals: list[Arrival]) -> None:
        """Route the SENDs of a transaction in their order; adds what went to topics to `arrivals`.

        Raises:
            SessionError: as `send` does; what came before it is done, and among the arrivals.
        """
        broker = self._broker
        routing = broker.routing
        known = routing.topics.get
        consumed = self._own_topic is None
        outgoing: list[Outgoing] = []
        for frame in frames:
            head, body, _ = frame
            topic = known(head.headers["destination"])
            if (
                topic is None
                or topic.generation != routing.generation
                or topic.reserved
                or head.wants_reply
                or (confirm and consumed and topic.fanout.consumers)
            ):
                broker.publish_all(outgoing, consumed=consumed)
                outgoing = []
                if (arrival := self.send(frame, confirm)) is not None:
                    arrivals.append(arrival)
                continue
            outgoing.append((topic, body, head.kept_user_headers or head.user_headers, None))
            arrivals.append((topic.name, body, head.content_type, head.retained))
        broker.publish_all(outgoing, consumed=consumed)

    def _topic(self, destination: str, receipt: str | None) -> Topic:
        try:
            topic = self._broker.routing.topic(destination)
        except TopicError as error:
            raise bad_destination(destination, str(error), receipt) from None
        if topic.reserved and destination != self._own_topic:
            text = f"{quoted(destination)} is written by the hub alone"
            raise SessionError("Not allowed", text, POLICY_VIOLATION, receipt=receipt)
        return topic

    def _confirm(self, topic: Topic) -> None:
        if self.confirmation is None:
            self.confirmation = Confirmation(self._broker.confirmations)
        self._broker.expect(topic, self.confirmation)

    def _enqueue(self, frame: Frame, user_headers: UserHeaders) -> None:
        self.check(frame)
        destination = frame.head.headers["destination"]
        queues = self._broker.queues
        if destination.startswith(TEMP_PREFIX):
            own = self._temp_queues.own_queue(destination)
            destination = own if own in queues else destination
            if destination not in queues:
                # The requester has gone; its answer is nobody's fault.
                self._broker.counters.dropped["reply-gone"] += 1
                return
        try:
            queues.enqueue(destination, frame.body, user_headers)
        except SessionError as error:
            error.receipt = frame.receipt
            raise


def is_send(frame: Frame) -> bool:
    """Tell a SEND from the settlements that a transaction may hold as well."""
    return frame.head.command == SEND


def bad_destination(destination: str, why: str, receipt: str | None) -> SessionError:
    """Give the error for a destination that cannot be."""
    return SessionError("Bad destination", f"{quoted(destination)}: {why}", receipt=receipt)
