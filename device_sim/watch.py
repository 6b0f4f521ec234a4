"""`device-sim watch`, a simulated dashboard: subscribes like a browser, counts what it is shown, survives hub restarts."""

import asyncio
import contextlib
from collections.abc import Sequence

import orjson

from device_sim.links.connection import State
from device_sim.links.dashboard import Appetite, Dashboard, DashboardEvents
from device_sim.links.identity import StompIdentity
from device_sim.links.reactor import Reactor
from device_sim.programs import on_signal, prepare_logs, say, status_line
from device_sim.reach import Peer, find_peers
from hub.clients.endpoint import Endpoint

GOODBYE_S = 2.0


class Watcher:
    """One subscription on one connection. `delivered` counts MESSAGE frames, over all reconnects."""

    def __init__(self, address: Endpoint, destination: str) -> None:
        self._reactor = Reactor()
        self._down = asyncio.Event()
        self.subscribed = asyncio.Event()
        self.delivered = 0
        identity = StompIdentity(address, address.username, address.password)
        events = DashboardEvents(self._count, lambda _: self.subscribed.set(), self._change)
        self._dashboard = Dashboard(identity, Appetite((destination,)), self._reactor, events)

    async def start(self) -> None:
        """Begin to connect; `subscribed` is set when the hub has confirmed the subscription."""
        self._reactor.start()
        await self._reactor.resolve(self._dashboard.address)
        self._dashboard.connect()

    async def close(self) -> None:
        """Disconnect; raise what a callback failed with, which is a bug."""
        self._dashboard.disconnect()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await self._down.wait()
        self._dashboard.cut()
        self._reactor.close()
        if self._reactor.failure is not None:
            raise self._reactor.failure

    def _count(self, messages: Sequence[bytes]) -> None:
        self.delivered += len(messages)

    def _change(self, _before: State, after: State) -> None:
        if after is State.IDLE:
            self._down.set()
        else:
            self._down.clear()


def run_watch(address: Endpoint, destination: str) -> None:
    """Count MESSAGEs until a signal."""
    asyncio.run(_watch(address, destination))


async def _watch(address: Endpoint, destination: str) -> None:
    prepare_logs()
    watcher = Watcher(address, destination)
    if await find_peers([Peer(address, "--hub-url")], None):
        await _until_signal(watcher, f"ready {address} {destination}")
    say(orjson.dumps({"delivered": watcher.delivered}).decode())


async def _until_signal(watcher: Watcher, ready: str) -> None:
    """Count until a signal."""
    stopped = asyncio.Event()
    on_signal(stopped.set)
    starting = asyncio.create_task(watcher.start())
    waits = [asyncio.create_task(event.wait()) for event in (watcher.subscribed, stopped)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    if watcher.subscribed.is_set():
        say(ready)
    async with status_line(lambda: f"{watcher.delivered:,} messages delivered"):
        await stopped.wait()
    starting.cancel()
    waits[0].cancel()
    await watcher.close()
