"""Subscribers, as the pipeline sees them: what it publishes, and only where somebody subscribed.

    /topic/readings/<device>/<metric>   readings, encoded when somebody subscribes to their series
    /topic/$SYS/devices/<device>        states of devices
    /topic/$SYS/explain/<topic>         what became of a message on that topic

and commands of decoders to devices. No I/O: the broker queues.
"""

from collections.abc import Iterable

from hub.broker.broker import Broker
from hub.broker.publication import COMMANDS, HUB, JSON_HEADERS, NO_HEADERS, TELEMETRY, Arrival, Headers, Origin
from hub.telemetry import device_states
from hub.telemetry.explanation import EXPLAIN_LEVEL, PREFIX, Explanation
from hub.telemetry.notes import Command
from hub.telemetry.readings_topic import FIRST_LEVEL, Series
from hub.topics.destinations import Destination, Kind
from storage.device_state import DeviceState
from storage.reading import Reading

new_arrival = tuple.__new__  # a NamedTuple's own constructor costs three times as much
Seen = tuple[Series, Reading, bool]
"""A reading that has come; true if it is late: a newer one of its series came before."""


class Audience:
    """The subscribers, as the pipeline sees them."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    @property
    def of_readings(self) -> bool:
        """Whether anybody watches any readings: a cheap check."""
        return self._broker.routing.listening(FIRST_LEVEL)

    @property
    def of_explanations(self) -> bool:
        """Whether anybody watches any explanations: a cheap check."""
        return self._broker.routing.listening(EXPLAIN_LEVEL)

    def show_readings(self, seen: Iterable[Seen]) -> int:
        """Publish the readings that somebody watches; return how many."""
        broker = self._broker
        routing = broker.routing
        known = routing.topics.get
        messages: list[Arrival] = []
        add = messages.append
        generation = routing.generation
        for series, (_, _, time_us, value, unit), late in seen:
            topic = known(series.text)
            if topic is None or topic.generation != generation:
                topic = routing.topic(series.destination)
            if topic.fanout.groups:
                number = value if value.__class__ is float else None  # what a subscription's dead-band compares
                body = series.body(time_us, value, unit, late=late)
                add(new_arrival(Arrival, (topic, body, JSON_HEADERS, number)))
        broker.publish(messages, TELEMETRY)
        return len(messages)

    def show_state(self, state: DeviceState) -> None:
        """Publish what is new of a device."""
        topic = device_states.topic_of(state.device)
        if self._broker.wanted(topic):
            self._publish(topic, device_states.body_of(state), JSON_HEADERS, TELEMETRY)

    def send(self, command: Command) -> None:
        """Publish a command of a decoder to a device."""
        self._publish(command.topic, command.payload, NO_HEADERS, COMMANDS)

    def wants_explanation(self, topic: str) -> bool:
        """Whether anybody watches what becomes of messages on a topic."""
        return self._broker.wanted(f"{PREFIX}{topic}")

    def explain(self, explanation: Explanation) -> None:
        """Publish what became of a message."""
        self._publish(f"{PREFIX}{explanation.topic}", explanation.body(), JSON_HEADERS, HUB)

    def _publish(self, topic: str, body: bytes, headers: Headers, origin: Origin) -> None:
        self._broker.publish_one(Destination(Kind.TOPIC, topic), body, headers, origin)
