"""What every connection shares: broker, telemetry, limits, logins, counters. Built once by `hub.app`."""

import asyncio
import hmac
from collections import Counter
from collections.abc import Awaitable, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from hub.broker.broker import Broker
from hub.broker.client import Clock
from hub.broker.publisher import Arrival
from hub.settings.limits import Limits
from hub.stomp.decoder import HeaderCache
from hub.stomp.errors import POLICY_VIOLATION, SessionError

if TYPE_CHECKING:
    from hub.transports.connection import Connection


class Ingest(Protocol):
    """Where telemetry goes: `Pipeline` and `Store` behind it."""

    @property
    def full(self) -> bool:
        """Whether publishers have to wait."""

    def wait_not_full(self) -> Awaitable[None]:
        """Return when there is room again."""

    def accept_all(
        self, arrivals: Iterable[Arrival], now_us: int, bridged: bool = False
    ) -> "Mapping[asyncio.Future[None], None]":
        """Take messages that came together; the futures of their durability, none for topics that no route takes."""


class TransportCounters:
    """What the transports count."""

    __slots__ = ("accepted", "bytes_in", "bytes_out", "errors", "publishers_paused", "refused")

    def __init__(self) -> None:
        self.accepted = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.publishers_paused = 0
        self.errors: Counter[str] = Counter()  # ERROR frames by their summary
        self.refused: Counter[str] = Counter()  # connections that were not let in, by reason


class Services:
    """The parts, and who is connected."""

    def __init__(
        self, broker: Broker, clock: Clock, limits: Limits, users: Mapping[str, str], ingest: Ingest | None
    ) -> None:
        """Take the parts; without `ingest` (benchmarks) nothing is stored. `users`: passwords by login."""
        self.broker = broker
        self.clock = clock
        self.limits = limits
        self.ingest = ingest
        self.session_limits = limits.for_session()
        self.client_limits = limits.for_client()
        self.header_cache = HeaderCache()
        self.counters = TransportCounters()
        self.connections: set[Connection] = set()
        self.draining = False
        self._users = users
        self._emptied: asyncio.Event | None = None

    @property
    def crowded(self) -> bool:
        """Whether no further connection is let in."""
        return len(self.connections) >= self.limits.connections

    def leave(self, connection: "Connection") -> None:
        """Forget a connection."""
        self.connections.discard(connection)
        if self._emptied is not None and not self.connections:
            self._emptied.set()

    async def wait_empty(self) -> None:
        """Return when nobody is connected."""
        self._emptied = asyncio.Event()
        if self.connections:
            await self._emptied.wait()

    def authenticate(self, login: str | None, passcode: str | None, *, loopback: bool) -> None:
        """Let a client in, or not.

        Raises:
            SessionError: wrong login; or none is configured and the peer is not on this machine.
        """
        if not self._users:
            if loopback:
                return
            text = (
                "no users are configured ([[users]]), so only clients on the hub's own machine may connect; whoever comes "
                "through a proxy counts by the address it forwards, if http.trusted_proxies names the proxy"
            )
            raise SessionError("Bad CONNECT", text, POLICY_VIOLATION)
        expected = self._users.get(login or "")
        given = (passcode or "").encode()
        # Compared for unknown logins too: the time does not tell which logins exist.
        same = hmac.compare_digest(given, (expected or "").encode())
        if expected is None or not same:
            raise SessionError("Bad CONNECT", "login or passcode is wrong", POLICY_VIOLATION)
