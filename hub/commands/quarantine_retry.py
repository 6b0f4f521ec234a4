"""Quarantined payloads once more through the pipeline, after a route or a decoder was mended.

The pipeline is the hub's own, so a payload is taken exactly as it would be taken now, with the content type, the origin
and the time of its first receipt. Times that were refused while the hub's clock was not to be trusted (`hub_clock`) are
judged by the database's clock of now. A reading that the storage refused is offered to it again, without a decoder. What is
stored leaves the quarantine after the commit; what is refused again stays.

One pipeline takes all of them in the order of receipt, so what a decoder learns from one (a birth, a description) helps
those behind it. It knows nothing of what the running hub has learnt, and asks no device for anything: data that were
refused as `needs_rebirth` are stored if a birth of their node is among the payloads, before them.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from hub.broker.broker import Broker, BrokerLimits
from hub.telemetry.audience import Audience
from hub.telemetry.pipeline import HUB_CLOCK, Pipeline
from hub.telemetry.routes import Routes
from hub.telemetry.validation import TimeWindow
from storage.device_state import DeviceState
from storage.quarantine import QuarantinedPayload, reading_of
from storage.queries.refused import Refused
from storage.reading import Reading
from storage.store import Store


@dataclass(slots=True)
class RetryReport:
    """What became of the payloads: `stored` of them gave `readings`; the others with the reason of their refusal.

    `replaced` have left for a new entry: the storage has refused their reading once more.
    """

    stored: list[Refused] = field(default_factory=list)
    replaced: list[Refused] = field(default_factory=list)
    readings: int = 0
    refused: list[tuple[Refused, str]] = field(default_factory=list)


class _Sink:
    """Takes readings to the store, and keeps a refusal instead of storing it a second time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.begin()

    def begin(self) -> None:
        """Start with the next payload."""
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


async def retry(
    payloads: Sequence[Refused], routes: Routes, store: Store, window: TimeWindow, now_us: int
) -> RetryReport:
    """Take each payload through the pipeline; return when those that were taken are committed.

    `now_us` is the database's time.
    """
    report = RetryReport()
    sink = _Sink(store)
    # A broker without subscribers: a payload of yesterday is not news.
    broker = Broker(BrokerLimits(), "offline", time.monotonic, lambda: None, lambda _: None)
    pipeline = Pipeline(routes, sink, Audience(broker), window)
    for payload in sorted(payloads, key=lambda payload: payload.item.received_us):
        item = payload.item
        if item.origin == "storage":
            await _offer_again(payload, store, report)
            continue
        sink.begin()
        pipeline.window = window
        if item.reason == HUB_CLOCK:
            pipeline.window = TimeWindow(window.future_us + max(0, now_us - item.received_us))
        bridged = item.origin == "bridge"
        done = pipeline.accept(item.topic, item.payload, item.content_type, item.received_us, item.retained, bridged)
        if done is None:
            report.refused.append((payload, "no telemetry route takes the topic"))
        elif sink.refusal is not None:
            report.refused.append((payload, f"{sink.refusal.reason}: {sink.refusal.detail}"))
        else:
            await done
            report.stored.append(payload)
            report.readings += sink.readings
    return report


async def _offer_again(payload: Refused, store: Store, report: RetryReport) -> None:
    """Store a reading that was refused, when the reason is gone: a constraint, a full disk, a time-out."""
    try:
        reading = reading_of(payload.item)
    except ValueError as error:
        report.refused.append((payload, str(error)))
        return
    refused_before = store.counters.rows_refused
    await store.write([reading], len(payload.item.payload))
    if store.counters.rows_refused > refused_before:
        report.refused.append((payload, f"{payload.item.reason}: the storage refused it again"))
        report.replaced.append(payload)
    else:
        report.stored.append(payload)
        report.readings += 1
