"""Sends a schedule through a link: what is due, as soon as the link has room, ledger first.

Rules: a message enters the ledger before it leaves; it leaves at its intended time or as soon after as the link takes
it (a full window is back-pressure, not loss); every acknowledgement enters the ledger before the next message leaves.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from device_sim.ledger import LedgerWriter
from device_sim.links.link import Link, LinkEvents
from device_sim.message import Message

BURST = 500
"""Messages handed to a link at once: enough to share system calls, few enough to keep the loop turning."""
GATHER_S = 0.005
"""Due messages are gathered this long: at 5,000 a second 25 share one write and one ledger line block."""
LAST_S = 0.25
"""How long after the end what was due before it may still leave: without it a run is short by its last few messages."""
DRAIN_S = 10.0
"""How long to wait for outstanding acknowledgements at the end."""


@dataclass(slots=True)
class Tally:
    """What happened so far; `published` and `acknowledged` count readings, `messages` messages."""

    messages: int = 0
    published: int = 0
    acknowledged: int = 0
    seconds: float = 0.0
    late_s: float = 0.0
    """The worst delay of a message past its intended time."""

    def as_json(self) -> dict[str, float]:
        """Return the last line of the commands `run` and `replay`."""
        return {
            "messages": self.messages,
            "published": self.published,
            "acknowledged": self.acknowledged,
            "seconds": round(self.seconds, 3),
        }


class Publisher:
    """Owns the link while it publishes. Use: `start`, `publish` once, `close`; `stop` from anywhere on the loop."""

    def __init__(self, make_link: Callable[[LinkEvents], Link], ledger: LedgerWriter) -> None:
        self._ledger = ledger
        self._wake = asyncio.Event()
        self._stopped = False
        self.tally = Tally()
        self.link = make_link(LinkEvents(acknowledged=self._on_acknowledged, room=self._wake.set))

    def stop(self) -> None:
        """End `publish` after the burst in hand."""
        self._stopped = True
        self._wake.set()

    async def start(self) -> bool:
        """Connect; return False when stopped before that."""
        connecting = asyncio.create_task(self.link.start())
        connecting.add_done_callback(lambda _: self._wake.set())
        while not connecting.done() and not self._stopped:
            self._wake.clear()
            await self._wake.wait()
        if connecting.done():
            connecting.result()
            return not self._stopped
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)
        return False

    async def publish(self, schedule: Iterator[Message], for_s: float | None = None) -> None:
        """Send the schedule until it ends, `for_s` seconds have passed, or `stop`; then wait for acknowledgements."""
        begin = time.monotonic()
        end_s = None if for_s is None else for_s + LAST_S
        head = next(schedule, None)
        while head is not None and not self._stopped:
            now_s = time.monotonic() - begin
            if end_s is not None and now_s >= end_s:
                break
            burst, head = self._due(head, schedule, now_s)
            if burst:
                self._send(burst, now_s)
            self._wake.clear()
            if head is None or self._stopped:
                break
            if self.link.room == 0:
                await self._wait(None if end_s is None else end_s - now_s)
            elif head.due_s > now_s:
                await self._wait(max(head.due_s - now_s, GATHER_S), for_any=False)
            else:
                await asyncio.sleep(0)  # behind or at full speed: let acknowledgements in, then go on
        await self._drain()
        self.tally.seconds = time.monotonic() - begin

    async def close(self) -> None:
        await self.link.close()

    def _due(
        self, head: Message | None, schedule: Iterator[Message], now_s: float
    ) -> tuple[list[Message], Message | None]:
        """Take what is due and fits; return it and the first message that stays."""
        burst: list[Message] = []
        most = min(self.link.room, BURST)
        while head is not None and head.due_s <= now_s and len(burst) < most:
            burst.append(head)
            head = next(schedule, None)
        return burst, head

    def _send(self, burst: Sequence[Message], now_s: float) -> None:
        self._ledger.sent(burst)
        self.link.send(burst)
        self.tally.messages += len(burst)
        self.tally.published += sum(len(message.metrics) for message in burst)
        self.tally.late_s = max(self.tally.late_s, now_s - burst[0].due_s)

    def _on_acknowledged(self, messages: Sequence[Message]) -> None:
        self._ledger.acknowledged(messages)
        self.tally.acknowledged += sum(len(message.metrics) for message in messages)

    async def _wait(self, timeout_s: float | None, *, for_any: bool = True) -> None:
        """Wait for room or `stop`; with `for_any` False only for the time or `stop`."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    self._wake.clear()
                    await self._wake.wait()
                    if for_any or self._stopped:
                        return
        except TimeoutError:
            return

    async def _drain(self) -> None:
        self._wake.clear()
        try:
            async with asyncio.timeout(DRAIN_S):
                while self.link.outstanding:
                    self._wake.clear()
                    await self._wake.wait()
        except TimeoutError:
            return
