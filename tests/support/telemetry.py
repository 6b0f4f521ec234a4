"""Ends for the telemetry pipeline that keep what they are given: a store without a database, an audience of filters."""

import asyncio
from collections.abc import Sequence

from hub.stomp.frames import UserHeaders
from hub.telemetry.formats import FormatSettings
from hub.telemetry.pipeline import Pipeline
from hub.telemetry.routes import DEFAULT_ROUTES, Routes, RouteSettings
from hub.topics.tree import TopicTree
from storage.device_state import DeviceState
from storage.quarantine import QuarantinedPayload
from storage.reading import Reading

NOW_US = 1_795_190_400_000_000  # 2026-11-20T16:00:00Z


class KeepingStore:
    """Commits at once; every write and quarantine gets a future of its own, in `futures`."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.quarantined: list[QuarantinedPayload] = []
        self.states: list[DeviceState] = []
        self.futures: list[asyncio.Future[None]] = []
        self._newest: dict[tuple[str, str], int] = {}

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

    def observe(self, device: str, metric: str, time_us: int) -> bool:
        newest = self._newest.setdefault((device, metric), time_us)
        self._newest[device, metric] = max(newest, time_us)
        return time_us < newest

    def _future(self) -> asyncio.Future[None]:
        self.futures.append(asyncio.get_running_loop().create_future())
        return self.futures[-1]


class FilterAudience:
    """Watches the destinations that its filters match, with the topic tree of the hub."""

    def __init__(self, *filters: str) -> None:
        self.published: list[tuple[str, bytes]] = []
        self.numbers: list[float | None] = []
        self._tree: TopicTree[str] = TopicTree()
        for topic_filter in filters:
            self._tree.add(topic_filter, topic_filter)

    def listening(self, first_level: str) -> bool:
        return any(first_level in topic_filter or topic_filter[0] in "+#" for topic_filter in self._tree)

    def wanted(self, destination: str) -> bool:
        return bool(self._tree.match(destination))

    def publish(self, destination: str, body: bytes, headers: UserHeaders, value: float | None) -> int:  # noqa: ARG002 - the protocol's
        self.published.append((destination, body))
        self.numbers.append(value)
        return 1


class Bench:
    """A pipeline with its two ends."""

    def __init__(
        self, *filters: str, routes: Sequence[RouteSettings] = DEFAULT_ROUTES, formats: Sequence[FormatSettings] = ()
    ) -> None:
        self.store = KeepingStore()
        self.audience = FilterAudience(*filters)
        self.pipeline = Pipeline(Routes(routes, formats=formats), self.store, self.audience)

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
        return [message for message in self.audience.published if not message[0].startswith(hubs)]

    @property
    def reasons(self) -> list[str]:
        return [item.reason for item in self.store.quarantined]
