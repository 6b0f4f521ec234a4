"""CPU of `Pipeline.accept` for a payload of three metrics, by its form: `python -m tests.bench.pipeline`.

The broker is the hub's own, without subscribers and then with a dashboard whose frames are thrown away; the store hands
back one future and keeps nothing, so that its cost is not counted. 1,000 devices, the best of 7 rounds, µs of process time.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

from hub.broker.broker import Broker, BrokerLimits
from hub.telemetry.audience import Audience
from hub.telemetry.pipeline import Pipeline
from hub.telemetry.routes import Routes
from storage.device_state import DeviceState
from storage.quarantine import QuarantinedPayload
from storage.reading import Reading
from tests.support.core import Wire
from tests.support.telemetry import watch

NOW_US = 1_795_190_400_000_000
DEVICES = 1_000
ROUNDS = 7
PASSES = 30
METRICS = b'"temperature":21.53,"humidity":40.25,"pressure":1013.2}'
FORMS = {
    "ts in ms, flat (the goal: 3.0)": b'{"ts":1763654400123,' + METRICS,
    "ts in s, flat": b'{"ts":1763654400,' + METRICS,
    "no time, flat": b"{" + METRICS,
    "ISO time": b'{"time":"2026-11-20T16:00:00Z",' + METRICS,
    "ThingsBoard": b'{"ts":1763654400123,"values":{' + METRICS + b"}",
    "nested": b'{"ts":1763654400123,"env":{' + METRICS + b"}",
    "not JSON": b"{'temperature':21.53}",
}


class NoStore:
    """Keeps nothing."""

    def __init__(self) -> None:
        self._future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def write(self, _readings: Sequence[Reading], _extra_bytes: int) -> asyncio.Future[None]:
        return self._future

    def quarantine(self, _item: QuarantinedPayload) -> asyncio.Future[None]:
        return self._future

    def device_state(self, _item: DeviceState) -> asyncio.Future[None]:
        return self._future


def cpu_us(accept: Callable[..., object], body: bytes, flush: Callable[[], None]) -> float:
    """Return the µs of process time of one call, `flush` once in 1,000 included."""
    topics = [f"devices/sim-{number:05}/telemetry" for number in range(DEVICES)]
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(PASSES):
            for topic in topics:
                accept(topic, body, None, NOW_US)
            flush()
        best = min(best, time.process_time() - start)
    return best / DEVICES / PASSES * 1e6


async def main() -> None:
    for name, watched in (("nobody subscribes", False), ("every reading published", True)):
        broker = Broker(BrokerLimits(), "e", lambda: 0.0, lambda: None, lambda _: None)
        wire = watch(broker, "/topic/readings/#") if watched else Wire()

        def flush(broker: Broker = broker, wire: Wire = wire) -> None:
            broker.flush()
            wire.data = b""

        pipeline = Pipeline(Routes(), NoStore(), Audience(broker))
        print(f"{name}:")
        for form, body in FORMS.items():
            print(f"  {cpu_us(pipeline.accept, body, flush):6.2f} µs  {form}")


if __name__ == "__main__":
    asyncio.run(main())
