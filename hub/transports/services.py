"""What every connection shares: the parts of the hub, limits, counters, and who is connected. Built once by `hub.app`."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from typing import Final, Protocol

import structlog

from hub.refusal import Refusal
from hub.settings.limits import Limits
from hub.stomp.conversation import Kept, Shared

log = structlog.get_logger("hub.connections")
QUIET_S: Final = 60.0  # the same is logged once in this time for one peer, with how often it came
MAX_LOGGED: Final = 10_000


class Room(Protocol):
    """What publishers have to wait for: the store, and the memory budget."""

    @property
    def full(self) -> bool:
        """Whether publishers have to wait."""

    def wait_not_full(self) -> Awaitable[None]:
        """Return when there is room again."""


class Member(Protocol):
    """A connection."""

    def shut_down(self) -> None:
        """End the connection, because the hub stops."""

    @property
    def owed(self) -> "tuple[asyncio.Future[None], ...]":
        """Return what receipts wait for."""

    @property
    def waiting_bytes(self) -> int:
        """Return the bytes that wait for the peer."""

    @property
    def peer(self) -> str:
        """Return who it is."""

    @property
    def unsent(self) -> bytes:
        """Return what was written last, while the socket has not taken it."""

    @property
    def unread(self) -> int:
        """Return what there is of a message that is not complete."""

    @property
    def closing(self) -> bool:
        """Whether it ends itself, and is only waiting for the peer."""

    def kept(self) -> Kept:
        """Return the memory that is taken for this client alone, its socket aside."""

    def shed(self) -> None:
        """Give memory back."""


class TransportCounters:
    """What the transports count."""

    __slots__ = ("accepted", "bytes_in", "bytes_out", "errors", "publishers_paused", "refused")

    def __init__(self) -> None:
        self.accepted = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.publishers_paused = 0
        self.errors: Counter[str] = Counter()  # refusals by their reason
        self.refused: Counter[str] = Counter()  # connections that were not let in, by reason


class Services:
    """The parts, and who is connected."""

    def __init__(self, shared: Shared, limits: Limits, room: Room | None) -> None:
        """Take the parts; without a `room` (benchmarks) nothing is stored and nobody waits."""
        self.shared = shared
        self.limits = limits
        self.room = room
        self.memory: Room | None = None  # set by who measures it
        self.counters = TransportCounters()
        self.connections: set[Member] = set()
        self.draining = False
        self._emptied: asyncio.Event | None = None
        self._logged: dict[tuple[str, str], tuple[float, int]] = {}  # by peer and reason: when, how often since

    @property
    def crowded(self) -> bool:
        """Whether no further connection is let in."""
        return len(self.connections) >= self.limits.connections

    def leave(self, connection: Member) -> None:
        """Forget a connection."""
        self.connections.discard(connection)
        if self._emptied is not None and not self.connections:
            self._emptied.set()

    async def wait_empty(self) -> None:
        """Return when nobody is connected."""
        self._emptied = asyncio.Event()
        if self.connections:
            await self._emptied.wait()

    def refused(self, peer: str, refusal: Refusal, login: str) -> None:
        """Count a refusal, and log it unless the same peer had the same one a moment ago."""
        reason = refusal.reason.value
        self.counters.errors[reason] += 1
        now = self.shared.clock()
        when, count = self._logged.get((peer, reason), (-QUIET_S, 0))
        if now - when < QUIET_S:
            self._logged[peer, reason] = (when, count + 1)
            return
        if len(self._logged) >= MAX_LOGGED:
            self._logged.clear()
        self._logged[peer, reason] = (now, 0)
        more = {"same_since_then": count} if count else {}
        log.warning("refused", peer=peer, login=login, reason=refusal.summary, detail=refusal.detail, **more)
