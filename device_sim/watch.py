"""`device-sim watch`, a simulated dashboard: subscribes like a browser, counts what it is shown, survives hub restarts."""

import asyncio
import threading

import orjson

from device_sim.links.address import Address
from device_sim.links.stomp_session import SessionEvents, StompSession
from device_sim.programs import on_signal, prepare_logs, say, status_line

SUBSCRIBED = "subscribed"


class Watcher:
    """One subscription on one connection. `delivered` counts MESSAGE frames, over all reconnects."""

    def __init__(self, address: Address, destination: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._destination = destination
        self._changed = threading.Event()
        self.subscribed = asyncio.Event()
        self.delivered = 0
        events = SessionEvents(
            work=self._work, on_receipt=self._confirm, on_message=self._count, changed=self._changed.set
        )
        self._session = StompSession(address, events, "watch")

    def start(self) -> None:
        """Begin to connect; `subscribed` is set when the hub has confirmed the subscription."""
        self._session.start()

    async def close(self) -> None:
        await asyncio.to_thread(self._session.close)

    def _work(self, session: StompSession) -> None:
        self._changed.clear()
        session.subscribe(self._destination, receipt=SUBSCRIBED)
        while not (session.lost.is_set() or session.closing.is_set()):
            self._changed.wait()
            self._changed.clear()

    def _confirm(self, receipt: str) -> None:
        if receipt == SUBSCRIBED:
            self._loop.call_soon_threadsafe(self.subscribed.set)

    def _count(self, _destination: str) -> None:
        # Only stomp.py's reader thread writes it; the loop reads it when that thread has ended or for display.
        self.delivered += 1


def run_watch(address: Address, destination: str) -> None:
    """Count MESSAGEs until a signal."""
    asyncio.run(_watch(address, destination))


async def _watch(address: Address, destination: str) -> None:
    prepare_logs()
    stopped = asyncio.Event()
    on_signal(stopped.set)
    watcher = Watcher(address, destination)
    watcher.start()
    waits = [asyncio.create_task(event.wait()) for event in (watcher.subscribed, stopped)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    if watcher.subscribed.is_set():
        say(f"ready {address} {destination}")
    async with status_line(lambda: f"{watcher.delivered:,} messages delivered"):
        await stopped.wait()
    waits[0].cancel()
    await watcher.close()
    say(orjson.dumps({"delivered": watcher.delivered}).decode())
