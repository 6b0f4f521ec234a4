"""Quarantined payloads once more through the pipeline, after a route or a decoder was mended.

The pipeline is the hub's own, so a payload is taken exactly as it would be taken now, with the time of its first
receipt. What is stored leaves the quarantine after the commit; what is refused again stays as it is.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from hub.stomp.frames import UserHeaders
from hub.telemetry.pipeline import Pipeline
from hub.telemetry.routes import Routes
from storage.device_state import DeviceState
from storage.quarantine import QuarantinedPayload
from storage.queries.refused import Refused
from storage.reading import Reading
from storage.store import Store


@dataclass(slots=True)
class RetryReport:
    """What became of the payloads: `stored` of them gave `readings`; the others with the reason of their refusal."""

    stored: list[Refused] = field(default_factory=list)
    readings: int = 0
    refused: list[tuple[Refused, str]] = field(default_factory=list)


class _Sink:
    """Takes readings to the store, and keeps a refusal instead of storing it a second time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.refusal: QuarantinedPayload | None = None
        self.readings = 0

    def write(self, readings: Sequence[Reading], extra_bytes: int, /) -> asyncio.Future[None]:
        self.readings += len(readings)
        return self._store.write(readings, extra_bytes)

    def quarantine(self, item: QuarantinedPayload, /) -> asyncio.Future[None]:
        self.refusal = item
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future

    def device_state(self, item: DeviceState, /) -> asyncio.Future[None]:
        return self._store.device_state(item)

    def observe(self, device: str, metric: str, time_us: int, /) -> bool:
        return self._store.observe(device, metric, time_us)


class _Nobody:
    """No subscribers: a payload of yesterday is not news."""

    def listening(self, first_level: str) -> bool:  # noqa: ARG002 - the protocol's
        return False

    def wanted(self, destination: str) -> bool:  # noqa: ARG002 - the protocol's
        return False

    def publish(self, destination: str, body: bytes, headers: UserHeaders, value: float | None, /) -> int:  # noqa: ARG002
        return 0


async def retry(payloads: Sequence[Refused], routes: Routes, store: Store) -> RetryReport:
    """Take each payload through the pipeline; return when those that were taken are committed."""
    report = RetryReport()
    for payload in payloads:
        sink = _Sink(store)
        done = Pipeline(routes, sink, _Nobody()).accept(
            payload.item.topic, payload.item.payload, None, payload.item.received_us, bridged=True
        )
        if done is None:
            report.refused.append((payload, "no telemetry route takes the topic"))
        elif sink.refusal is not None:
            report.refused.append((payload, f"{sink.refusal.reason}: {sink.refusal.detail}"))
        else:
            await done
            report.stored.append(payload)
            report.readings += sink.readings
    return report
