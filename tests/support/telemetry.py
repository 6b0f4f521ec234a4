"""Ends for the telemetry pipeline that keep what they are given: a store without a database, a broker with dashboards."""

import asyncio
from collections.abc import Hashable, Mapping, Sequence

from hub.broker.broker import Broker, BrokerLimits
from hub.broker.options import parse_options
from hub.broker.publication import Address, Arrival, Origin
from hub.broker.subscriber import Subscriber, SubscriberLimits
from hub.stomp.dialects import V1_2
from hub.stomp.encoder import MessageEncoder
from hub.telemetry.audience import Audience
from hub.telemetry.formats import FormatSettings
from hub.telemetry.pipeline import Pipeline
from hub.telemetry.routes import DEFAULT_ROUTES, Routes, RouteSettings
from hub.topics.destinations import Destination, Kind, parse_destination
from storage.device_state import DeviceState
from storage.quarantine import QuarantinedPayload
from storage.reading import Reading
from tests.support.core import Wire, no_framing

NONE: Mapping[str, str] = {}
NOW_US = 1_795_190_400_000_000  # 2026-11-20T16:00:00Z


def arrival(topic: str, body: bytes) -> Arrival:
    """Return a message as a client publishes it."""
    return Arrival(Address(Destination(Kind.TOPIC, topic)), body)


class KeepingStore:
    """Commits at once; every write and quarantine gets a future of its own, in `futures`."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.quarantined: list[QuarantinedPayload] = []
        self.states: list[DeviceState] = []
        self.futures: list[asyncio.Future[None]] = []

    def write(self, readings: Sequence[Reading], extra_bytes: int) -> asyncio.Future[None]:
        assert extra_bytes > 0
        self.readings.extend(readings)
        return self._future()

    def quarantine(self, item: QuarantinedPayload) -> asyncio.Future[None]:
        self.quarantined.append(item)
        return self._future()

    def device_state(self, item: DeviceState) -> asyncio.Future[None]:
        self.states.append(item)
        return self._future()

    def _future(self) -> asyncio.Future[None]:
        self.futures.append(asyncio.get_running_loop().create_future())
        return self.futures[-1]


class KeepingBroker(Broker):
    """The hub's broker with a dashboard on each filter; keeps what is published."""

    def __init__(self, *filters: str) -> None:
        super().__init__(BrokerLimits(), "e", lambda: 0.0, lambda: None, lambda _: None)
        self.published: list[tuple[str, bytes]] = []
        for topic_filter in filters:
            watch(self, topic_filter)

    def publish(self, batch: Sequence[Arrival], origin: Origin, *, confirm: bool = False) -> Sequence[Hashable]:
        self.published += [(arrival.address.text, arrival.body) for arrival in batch]
        return super().publish(batch, origin, confirm=confirm)


def watch(broker: Broker, topic_filter: str, headers: Mapping[str, str] = NONE) -> Wire:
    """Subscribe a client; what it gets is written to the wire at a flush."""
    wire = Wire()
    subscriber = Subscriber(broker, wire, SubscriberLimits())
    encode = MessageEncoder("0", V1_2, no_framing, "e")
    subscriber.begin(subscriber.subscribe("0", parse_destination(topic_filter), parse_options(headers), encode))
    return wire


class Bench:
    """A pipeline with its two ends."""

    def __init__(
        self, *filters: str, routes: Sequence[RouteSettings] = DEFAULT_ROUTES, formats: Sequence[FormatSettings] = ()
    ) -> None:
        self.store = KeepingStore()
        self.broker = KeepingBroker(*filters)
        self.pipeline = Pipeline(Routes(routes, formats=formats), self.store, Audience(self.broker))

    def accept(
        self,
        body: bytes | str,
        topic: str = "devices/press-7/telemetry",
        *,
        retained: bool = False,
        bridged: bool = True,
        content_type: str | None = None,
        now_us: int = NOW_US,
    ) -> asyncio.Future[None] | None:
        payload = body.encode() if isinstance(body, str) else body
        return self.pipeline.accept(topic, payload, content_type, now_us, retained=retained, bridged=bridged)

    @property
    def commands(self) -> list[tuple[str, bytes]]:
        """What the decoders sent to devices: what is published outside the hub's own topics."""
        hubs = ("/topic/readings/", "/topic/$SYS/")
        return [message for message in self.broker.published if not message[0].startswith(hubs)]

    @property
    def reasons(self) -> list[str]:
        return [item.reason for item in self.store.quarantined]
