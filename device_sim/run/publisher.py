"""Sends a schedule through a link: what is due, as soon as the link has room, ledger first.

Rules: a message enters the ledger before it leaves; it leaves at its intended time or as soon after as the link takes
it (a full window is back-pressure, not loss); every acknowledgement enters the ledger before the next message leaves; what
the schedule does to connections happens in its place between the messages.

Late for whose sake? While the link had no room, lateness is the system's. A message that leaves late although the link had
room all along is the simulator's own, and is counted apart (`Tally.own_late`).
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from device_sim.figures.intended import Intended
from device_sim.figures.results import Recorder
from device_sim.ledger.writer import Acknowledgement, LedgerWriter
from device_sim.links.link import Link, LinkEvents
from device_sim.message import LinkAction, Message, Will
from device_sim.schedule.schedule import Schedule

if TYPE_CHECKING:  # it brings SQLAlchemy and asyncpg, which a run without a database does not need
    from device_sim.figures.stored import StoredSampler

BURST = 500
"""Messages handed to a link at once: enough to share system calls, few enough to keep the loop turning."""
ACTIONS = 50
"""Connections that are opened or closed at once: each costs a fraction of a millisecond, and a thousand may be due."""
GATHER_S = 0.005
"""Due messages are gathered this long: at 5,000 a second 25 share one write and one ledger line block."""
LAST_S = 0.25
"""How long after the end what was due before it may still leave: without it a run is short by its last few messages."""
DRAIN_S = 10.0
"""How long to wait for outstanding acknowledgements at the end."""
DRAIN_LOOK_S = 0.1
OWN_LATE_S = 0.1
"""A message that leaves so late, although the link had room, was the simulator's to send in time."""

Item = Message | LinkAction


@dataclass(slots=True)
class Tally:
    """What happened so far; `published` and `acknowledged` count readings, `messages` messages."""

    messages: int = 0
    published: int = 0
    acknowledged: int = 0
    seconds: float = 0.0
    late_s: float = 0.0
    """The worst delay of a message past its intended time."""
    own_late: int = 0
    """Messages that left OWN_LATE_S or more after their intended time although the link had room."""

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

    def __init__(
        self,
        make_link: Callable[[LinkEvents], Link],
        ledger: LedgerWriter,
        recorder: Recorder | None = None,
        intended: Intended | None = None,
        sampler: "StoredSampler | None" = None,
        schedule: Schedule | None = None,
    ) -> None:
        """Make the link; `schedule` says what devices announce on connections that it has not asked for."""
        self._ledger = ledger
        self._recorder = recorder
        self._intended = intended
        self._sampler = sampler
        self._schedule = schedule
        self._wake = asyncio.Event()
        self._stopped = False
        self._begin = 0.0
        self._held_back = False
        self.tally = Tally()
        self.link = make_link(LinkEvents(self._on_acknowledged, self._wake.set, self._will, self._births))

    @property
    def now_s(self) -> float:
        """Seconds since the schedule's start: the clock of `Message.due_s`."""
        return time.monotonic() - self._begin

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

    async def publish(self, schedule: Iterator[Item], start_us: int, for_s: float | None = None) -> None:
        """Send the schedule until it ends, `for_s` seconds have passed, or `stop`; then wait for acknowledgements.

        `start_us` is the wall time at which the schedule begins, maybe a moment ahead.
        """
        self._begin = time.monotonic() + (start_us - time.time_ns() / 1_000) / 1_000_000
        self._ledger.begin(start_us)
        if self._sampler is not None:
            self._sampler.begin(self._begin)
        end_s = None if for_s is None else for_s + LAST_S
        head = next(schedule, None)
        while head is not None and not self._stopped:
            now_s = self.now_s
            if end_s is not None and now_s >= end_s:
                break
            head = self._send_due(head, schedule, now_s)
            self._wake.clear()
            if head is None or self._stopped:
                break
            if self.link.room == 0:
                self._held_back = True
                await self._wait(None if end_s is None else end_s - now_s)
            elif head.due_s > now_s:
                self._held_back = False
                await self._wait(max(head.due_s - now_s, GATHER_S), for_any=False)
            else:
                await asyncio.sleep(0)  # behind or at full speed: let acknowledgements in, then go on
        await self._drain()
        self.tally.seconds = max(self.now_s, 0.0)

    async def close(self) -> None:
        await self.link.close()

    def _send_due(self, head: Item, schedule: Iterator[Item], now_s: float) -> Item | None:
        """Send what is due and fits; return the first item that stays."""
        burst: list[Message] = []
        most, actions = min(self.link.room, BURST), 0
        stays: Item | None = None
        for item in itertools.chain((head,), schedule):
            if item.due_s > now_s:
                stays = item
                break
            if isinstance(item, Message):
                if len(burst) >= most:
                    stays = item
                    break
                burst.append(item)
                continue
            if burst:
                self._send(burst)
                most -= len(burst)
                burst = []
            if actions == ACTIONS:
                stays = item
                break
            actions += 1
            self.link.act(item)
        if burst:
            self._send(burst)
        return stays

    def _send(self, burst: Sequence[Message]) -> None:
        self._enter(burst)
        self.link.send(burst)

    def _will(self, source: int) -> Will | None:
        return None if self._schedule is None else self._schedule.will(source)

    def _births(self, source: int) -> Sequence[Message]:
        """Enter what the link is about to send with a connection that it made again."""
        births = () if self._schedule is None else self._schedule.births(source, max(self.now_s, 0.0))
        if births:
            self._enter(births)
        return births

    def _enter(self, burst: Sequence[Message]) -> None:
        """Take down what is about to leave."""
        now_s = self.now_s  # the schedule took its time, too
        self._ledger.sent(burst)
        if self._intended is not None:
            self._intended.add(burst)
        tally, readings = self.tally, sum([len(message.metrics) for message in burst])
        tally.messages += len(burst)
        tally.published += readings
        late_s = [now_s - message.due_s for message in burst]
        tally.late_s = max(tally.late_s, late_s[0])
        if late_s[0] >= OWN_LATE_S and not self._held_back:
            tally.own_late += sum([one >= OWN_LATE_S for one in late_s])
        if self._recorder is not None:
            self._recorder.sent(now_s, late_s, readings)
        if self._sampler is not None:
            self._sampler.sent(now_s, burst)

    def _on_acknowledged(self, messages: Sequence[Message], by: Acknowledgement) -> None:
        self._ledger.acknowledged(messages, by)
        readings = sum([len(message.metrics) for message in messages])
        self.tally.acknowledged += readings
        if self._recorder is not None:
            now_s = self.now_s
            self._recorder.acked(now_s, [now_s - message.due_s for message in messages], readings)

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
        end = time.monotonic() + DRAIN_S
        while self.link.awaited and time.monotonic() < end:
            self._wake.clear()
            # Looked at seldom: counting is a walk over all devices.
            await self._wait(DRAIN_LOOK_S, for_any=self.link.counts.outstanding <= BURST)
