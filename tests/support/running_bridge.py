"""A bridge in the test's own event loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bridge.bridge import Bridge
from bridge.settings import BridgeSettings

READY_S = 10


@asynccontextmanager
async def running(broker_url: str, hub_url: str, **settings: object) -> AsyncIterator[Bridge]:
    """Run one with a free health port and short pauses; it is connected when the block begins."""
    bridge = Bridge(
        BridgeSettings.model_validate(
            {"mqtt_url": broker_url, "hub_url": hub_url, "health_port": 0, "reconnect_max_s": 0.2, **settings}
        )
    )
    ready = asyncio.Event()
    task = asyncio.create_task(bridge.run(lambda _: ready.set()))
    try:
        await asyncio.wait_for(ready.wait(), READY_S)
        yield bridge
    finally:
        bridge.stop()
        await task
