"""The dashboards of one process: connects them in their time, counts what they are shown, measures how late it is.

Latency is measured of readings that this process published: the body of a message on /topic/readings/… names device and
time, plain JSON as it was sent has its time in `ts` (ms) and its name in the destination. At most MEASURED_PER_S bodies are
read a second, evenly among all; every MESSAGE is counted.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import datetime

import orjson

from device_sim.figures.intended import Intended
from device_sim.figures.results import Recorder
from device_sim.links.connection import State
from device_sim.links.dashboard import Appetite, Dashboard, DashboardEvents
from device_sim.links.identity import StompIdentity
from device_sim.links.reactor import Reactor
from device_sim.run.publisher import Publisher

MEASURED_PER_S = 5_000
GOODBYE_S = 1.0


class Dashboards:
    """Use: `add` each dashboard, `start`, `close`."""

    def __init__(self, recorder: Recorder, publisher: Publisher, intended: Intended) -> None:
        self._recorder = recorder
        self._publisher = publisher
        self._intended = intended
        self._reactor = Reactor(self._flush)
        self._events = DashboardEvents(self._show, self._subscribe, self._change)
        self._members: list[tuple[float, Dashboard]] = []
        self._awaited: set[Dashboard] = set()
        self._subscribed = asyncio.Event()
        self._down = asyncio.Event()
        self._down.set()
        self._new: list[bytes] = []
        self._count = 0
        self._skip = 1  # every so many bodies are read
        self._second = 0
        self._of_second = 0
        self.up = 0

    def add(self, identity: StompIdentity, appetite: Appetite, at_s: float) -> None:
        """Have a dashboard that connects `at_s` seconds after the schedule's start; before it, if that is 0."""
        self._members.append((at_s, Dashboard(identity, appetite, self._reactor, self._events)))

    async def start(self) -> None:
        """Connect those that are there from the beginning; return when they have subscribed."""
        self._reactor.start()
        for address in {dashboard.address for _, dashboard in self._members}:
            await self._reactor.resolve(address)
        early = [dashboard for at_s, dashboard in self._members if not at_s]
        self._awaited = set(early)
        for dashboard in early:
            dashboard.connect()
        if early:
            await self._subscribed.wait()

    def begin(self) -> None:
        """The schedule begins now: the others come in their time."""
        for at_s, dashboard in self._members:
            if at_s:
                self._reactor.timers.after(at_s, dashboard.connect)

    @property
    def problems(self) -> Mapping[str, int]:
        """What connections met, with how often."""
        return self._reactor.problems

    def check(self) -> None:
        """Raise what a callback failed with: a bug."""
        if self._reactor.failure is not None:
            raise self._reactor.failure

    async def close(self) -> None:
        for _, dashboard in self._members:
            dashboard.disconnect()
        try:
            async with asyncio.timeout(GOODBYE_S):
                await self._down.wait()
        except TimeoutError:
            pass
        for _, dashboard in self._members:
            dashboard.cut()
        self._reactor.close()

    def _show(self, messages: Sequence[bytes]) -> None:
        self._new += messages

    def _flush(self) -> None:
        """Count and measure what one wake-up brought."""
        messages = self._new
        if not messages:
            return
        self._new = []
        now_s = self._publisher.now_s
        second = int(time.monotonic())
        if second != self._second:
            self._skip = max(1, self._of_second // MEASURED_PER_S)
            self._second, self._of_second = second, 0
        self._of_second += len(messages)
        latencies_s = [
            now_s - due_s
            for message in messages[(-self._count) % self._skip :: self._skip]
            if (due_s := self._due_s(message)) is not None
        ]
        self._count += len(messages)
        self._recorder.shown(now_s, len(messages), latencies_s)
        if skipped := sum([_dropped(message) for message in messages if b"\ndropped:" in message]):
            self._recorder.dropped("shown_too_slowly", skipped)

    def _due_s(self, message: bytes) -> float | None:
        """Return when the reading in a MESSAGE was meant to be sent; None if it is no reading, or not one of ours."""
        try:
            body = orjson.loads(message[message.find(b"\n\n") + 2 :])
            if "ts" in body:
                return self._intended.due_s(_topic(message), int(body["ts"]) * 1_000)
            device, moment = body["device"], datetime.fromisoformat(body["t"])
        except (ValueError, TypeError, KeyError):
            return None
        whole = int(moment.replace(microsecond=0).timestamp())
        return self._intended.due_s(device, whole * 1_000_000 + moment.microsecond)

    def _subscribe(self, dashboard: Dashboard) -> None:
        self._awaited.discard(dashboard)
        if not self._awaited:
            self._subscribed.set()

    def _change(self, before: State, after: State) -> None:
        if after is State.UP:
            self.up += 1
            self._down.clear()
        elif before is State.UP:
            self.up -= 1
            if not self.up:
                self._down.set()


def _topic(message: bytes) -> str:
    """Return the topic of a MESSAGE: its destination without /topic/, unescaped as far as our own topics need it."""
    at = message.find(b"\ndestination:/topic/")
    return message[at + 20 : message.find(b"\n", at + 1)].decode() if at >= 0 else ""


def _dropped(message: bytes) -> int:
    """Return the `dropped` header of a MESSAGE."""
    head = message[: message.find(b"\n\n")]
    at = head.find(b"\ndropped:")
    number = head[at + 9 :].partition(b"\n")[0]
    return int(number) if at >= 0 and number.isdigit() else 0
