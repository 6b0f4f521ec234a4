"""Measures what clients make the hub keep, and acts on it by the steps of `hub.broker.budget`.

The figures are sums of what the parts count anyway, taken a few times a second, and earlier when much has come in.
While the whole process is smaller than half of the budget nothing is summed: a look at the process's size is cheap, and
one at ten thousand connections is not. Then at most a twentieth of the time is spent on sums.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import structlog

from hub.broker.broker import Broker
from hub.broker.budget import Holding, largest
from hub.broker.queues import is_dead_letter
from hub.observe.metrics import Row
from hub.processes.memory import resident_bytes
from hub.transports.services import Services

log = structlog.get_logger("hub.memory")
PERIOD_S: Final = 0.25
MOST_SHARE: Final = 20  # of the time: a sum that takes 20 ms comes every 400 ms at most
LOOK_AFTER: Final = 32  # or when this part of the budget may have been added since
LEAST_REST: Final = 4  # times as long as the last sum took
QUIET_S: Final = 60.0  # what is told in the log once in this time
SHOWN_OWNERS: Final = 10


class Memory:
    """The hub's memory budget: publishers wait for it, as they do for the store."""

    def __init__(self, broker: Broker, services: Services) -> None:
        self.shed: dict[str, int] = {}  # how often something was given back, by kind
        self._broker = broker
        self._services = services
        self._budget = broker.budget
        self._came = (0, 0, 0)  # bytes from clients, messages in and out when it was measured last
        self._logs = 0  # that channels kept for blocked members when it was measured last: each gets a copy, too
        self._not_before = 0.0  # the next sum
        self._relaxed: asyncio.Event | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._quiet_until = 0.0

    @property
    def full(self) -> bool:
        """Whether publishers have to wait."""
        if self._may_have_grown() > self._budget.limit // LOOK_AFTER and time.monotonic() >= self._not_before:
            self.look()
        return self._budget.tight

    async def wait_not_full(self) -> None:
        """Return when there is room again."""
        if self._budget.tight:
            relaxed = self._relaxed = self._relaxed or asyncio.Event()
            await relaxed.wait()

    def start(self) -> None:
        """Begin, on the running loop."""
        self._tick()

    def stop(self) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def look(self) -> None:
        """Measure, and give back what is too much."""
        budget = self._budget
        begun = time.monotonic()
        counters = self._broker.counters
        self._logs = sum(1 for _ in self._broker.routing.logs())
        self._came = (self._services.counters.bytes_in, counters.messages_in, counters.messages_out)
        resident = resident_bytes()
        if resident is not None and 2 * resident < budget.limit:
            budget.note(0, 0)
        else:
            self._note(self.kinds())
            if budget.tight:
                self._give_back()
        if not budget.tight and self._relaxed is not None:
            self._relaxed.set()
            self._relaxed = None
        ended = time.monotonic()
        self._not_before = ended + LEAST_REST * (ended - begun)

    def kinds(self) -> dict[str, int]:
        """Return what is kept, by kind."""
        broker = self._broker
        sums = dict.fromkeys(("outbox", "sending", "held", "unacknowledged", "received", "remembered"), 0)
        parts: dict[int, int] = {}  # of the same bytes many sockets may hold a piece: they count once
        for connection in self._services.connections:
            kept = connection.kept()
            sums["outbox"] += kept.outbox
            sums["held"] += kept.held
            sums["unacknowledged"] += kept.work
            sums["received"] += kept.received + connection.unread
            sums["remembered"] += kept.remembered
            unsent = connection.unsent
            if unsent:
                parts[id(unsent)] = len(unsent)
        sums["sending"] = sum(parts.values())
        sums["log"] = sum(channel.kept_bytes for _, channel in broker.routing.logs())
        sums["queue"] = broker.counters.queued_bytes
        sums["last message"] = broker.topics.bytes
        sums["topic"] = broker.topics.name_bytes
        return sums

    def holdings(self) -> Iterator[Holding]:
        """Return who keeps what."""
        broker = self._broker
        for connection in self._services.connections:
            kept = connection.kept()
            size = kept.sending + kept.received + kept.remembered + connection.unread + len(connection.unsent)
            if size:
                yield Holding("connection", connection.peer, size, None if connection.closing else connection.shed)
        for topic_filter, channel in broker.routing.logs():
            yield Holding("log", f"/topic/{topic_filter}", channel.kept_bytes, channel.shed)
        for destination, queue in broker.queues.items():
            if queue.bytes:
                yield Holding(
                    "queue", destination.text, queue.bytes, queue.shed if is_dead_letter(destination) else None
                )
        topics = broker.topics
        yield Holding("topics", "", topics.bytes + topics.name_bytes, topics.shed)

    def _may_have_grown(self) -> float:
        """Return about how much was written since the last look: what came in, times how many got it."""
        bytes_in, messages_in, messages_out = self._came
        counters = self._broker.counters
        copies = (counters.messages_out - messages_out) / (counters.messages_in - messages_in or 1) + self._logs
        return (self._services.counters.bytes_in - bytes_in) * max(1.0, copies)

    def _give_back(self) -> None:
        budget = self._budget
        now = time.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + QUIET_S
            top = sorted(self.holdings(), key=lambda one: one.size, reverse=True)[:SHOWN_OWNERS]
            log.warning(
                "memory_tight",
                used_bytes=budget.used,
                limit_bytes=budget.limit,
                largest=[f"{one.kind} {one.owner}: {one.size}" for one in top],
                remedy="see who keeps so much, or raise limits.memory_bytes",
            )
        holdings = list(self.holdings())
        # What is on its way out needs no further victim.
        leaving = sum(one.size for one in holdings if one.kind == "connection" and one.shed is None)
        for holding in largest(holdings, budget.excess - leaving):
            if holding.shed is not None:
                holding.shed()
                self.shed[holding.kind] = self.shed.get(holding.kind, 0) + 1
        self._note(self.kinds())

    def _note(self, kinds: Mapping[str, int]) -> None:
        self._budget.note(sum(kinds.values()), kinds["unacknowledged"])

    def _tick(self) -> None:
        begun = time.monotonic()
        self.look()
        took = time.monotonic() - begun
        self._timer = asyncio.get_running_loop().call_later(max(PERIOD_S, MOST_SHARE * took), self._tick)


def memory_rows(memory: Memory, limit: Callable[[], int]) -> tuple[Row, ...]:
    """Return the rows of `/metrics` about memory."""

    def owners() -> dict[tuple[str, str], float]:
        sizes: dict[tuple[str, str], float] = {}
        for holding in memory.holdings():
            key = (holding.kind, holding.owner)
            sizes[key] = sizes.get(key, 0) + holding.size
        return dict(sorted(sizes.items(), key=lambda row: row[1], reverse=True)[:SHOWN_OWNERS])

    return (
        Row("hub_memory_limit_bytes", "gauge", "What clients may make the hub keep (limits.memory_bytes).", limit),
        Row("hub_memory_bytes", "gauge", "What clients make the hub keep, by kind.", memory.kinds, "kind"),
        Row("hub_memory_owner_bytes", "gauge", "The ten who keep most.", owners, ("kind", "owner")),
        Row("hub_memory_shed_total", "counter", "How often an owner gave memory back.", lambda: memory.shed, "kind"),
    )
