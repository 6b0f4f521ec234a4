"""A bridge in the test's own event loop, with a free health port and short pauses."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from bridge.bridge import Bridge
from bridge.settings import BridgeSettings

READY_S = 10


@asynccontextmanager
async def trying(broker_url: str, hub_url: str, **settings: object) -> AsyncIterator[Bridge]:
    """Run one that may not get ready."""
    async with _run(broker_url, hub_url, settings, lambda _: None) as bridge:
        yield bridge


@asynccontextmanager
async def running(broker_url: str, hub_url: str, **settings: object) -> AsyncIterator[Bridge]:
    """Run one; it is connected when the block begins."""
    ready = asyncio.Event()
    async with _run(broker_url, hub_url, settings, lambda _: ready.set()) as bridge:
        await asyncio.wait_for(ready.wait(), READY_S)
        yield bridge


@asynccontextmanager
async def _run(
    broker_url: str, hub_url: str, settings: dict[str, object], on_ready: Callable[[str], None]
) -> AsyncIterator[Bridge]:
    values = {"mqtt_url": broker_url, "hub_url": hub_url, "health_port": 0, "reconnect_max_s": 0.2, **settings}
    bridge = Bridge(BridgeSettings.model_validate(values))
    task = asyncio.create_task(bridge.run(on_ready))
    try:
        yield bridge
    finally:
        bridge.stop()
        await task
