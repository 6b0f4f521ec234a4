"""A simulated dashboard: subscribes like a browser does and counts what it is shown. Survives restarts of the hub."""

import asyncio
import threading

from device_sim.links.address import Address
from device_sim.links.stomp_session import SessionEvents, StompSession

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
