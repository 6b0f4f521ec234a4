"""Those who watch: what the pipeline tells subscribers, and only where there are any.

    /topic/readings/<device>/<metric>   readings, encoded when somebody subscribes to their series
    /topic/$SYS/devices/<device>        states of devices
    /topic/$SYS/explain/<topic>         what became of a message on that topic

and commands of decoders to devices. No I/O: the broker queues.
"""

from collections.abc import Iterable

from hub.broker.broker import Broker
from hub.broker.topic import Outgoing
from hub.stomp.frames import NO_HEADERS
from hub.telemetry import device_states
from hub.telemetry.explanation import EXPLAIN_LEVEL, PREFIX, Explanation
from hub.telemetry.explanation import HEADERS as EXPLAIN_HEADERS
from hub.telemetry.last_readings import READING_HEADERS
from hub.telemetry.notes import Command
from hub.telemetry.readings_topic import FIRST_LEVEL, Series
from storage.device_state import DeviceState
from storage.reading import Reading

Seen = tuple[Series, Reading, bool]
"""A reading that has come; true if it is late: a newer one of its series came before."""


class Audience:
    """The subscribers, as the pipeline sees them."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    @property
    def of_readings(self) -> bool:
        """Whether anybody watches any readings: a quick no."""
        return self._broker.routing.listening(FIRST_LEVEL)

    @property
    def of_explanations(self) -> bool:
        """Whether anybody watches any explanations: a quick no."""
        return self._broker.routing.listening(EXPLAIN_LEVEL)

    def show_readings(self, seen: Iterable[Seen]) -> int:
        """Publish the readings that somebody watches; gives how many."""
        broker = self._broker
        routing = broker.routing
        known = routing.topics.get
        find = routing.topic
        messages: list[Outgoing] = []
        add = messages.append
        generation = routing.generation
        for series, (_, _, time_us, value, unit), late in seen:
            topic = known(series.destination)
            if topic is None or topic.generation != generation:
                topic = find(series.destination)
            if topic.fanout.wanted:
                number = value if value.__class__ is float else None  # what a subscription's dead-band compares
                add((topic, series.body(time_us, value, unit, late=late), READING_HEADERS, number))
        broker.publish_all(messages)
        return len(messages)

    def show_state(self, state: DeviceState) -> None:
        """Publish what is new of a device."""
        destination = device_states.destination_of(state.device)
        if self._broker.wanted(destination):
            self._broker.publish(destination, device_states.body_of(state), device_states.HEADERS)

    def send(self, command: Command) -> None:
        """Publish a command of a decoder to a device."""
        self._broker.publish(f"/topic/{command.topic}", command.payload, NO_HEADERS)

    def wants_explanation(self, topic: str) -> bool:
        """Whether anybody watches what becomes of messages on a topic."""
        return self._broker.wanted(f"{PREFIX}{topic}")

    def explain(self, explanation: Explanation) -> None:
        """Publish what became of a message."""
        self._broker.publish(f"{PREFIX}{explanation.topic}", explanation.body(), EXPLAIN_HEADERS)
