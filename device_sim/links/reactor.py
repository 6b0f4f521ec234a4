"""What all connections of a link share: sockets' readiness, deadlines, resolved names, and one voice for complaints.

A thousand devices that lose one broker are one event to a reader of the log: a complaint is written at most once a second
with the number of connections that made it.
"""

import asyncio
import random
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import structlog

from device_sim.links.poller import Poller
from device_sim.links.timers import Timers
from hub.clients.endpoint import Endpoint

COMPLAINTS_EVERY_S = 1.0
FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 5.0
MOST_COMPLAINTS = 100
"""Different sentences that are counted apart; more share the last one's line."""

log = structlog.get_logger("device_sim")

SocketAddress = tuple[int, int, int, Any]
"""Family, type, protocol, address: what `socket.socket` and `connect` take."""


class Reactor:
    """Owned by whoever runs links: `start` on the loop, `close` after the links. `after` runs once a wake-up."""

    def __init__(self, after: Callable[[], None] = lambda: None) -> None:
        self.poller = Poller(after)
        self.timers = Timers()
        self.rng = random.Random()  # jitter of back-off; of the schedule nothing depends on it
        self._names: dict[tuple[str, int], list[SocketAddress]] = {}
        self._complaints: dict[tuple[str, str, str], tuple[float, int]] = {}
        self.problems: dict[str, int] = {}
        """What connections met, with how often; at most MOST_COMPLAINTS different sentences."""

    @property
    def failure(self) -> Exception | None:
        """A bug that a callback met: the owner raises it rather than wait for ever."""
        return self.poller.failure or self.timers.failure

    def start(self) -> None:
        self.poller.start()
        self.timers.start()

    def close(self) -> None:
        self.poller.close()
        self.timers.close()

    async def resolve(self, address: Endpoint) -> None:
        """Look a host up, with back-off until it is found; connections then use what was found."""
        waits = delays(self.rng)
        while True:
            try:
                found = await asyncio.get_running_loop().getaddrinfo(
                    address.host, address.port, type=socket.SOCK_STREAM
                )
            except OSError as error:
                self.complain("name_unknown", str(address), error.strerror or str(error))
                await asyncio.sleep(next(waits))
            else:
                self._names[address.host, address.port] = [(row[0], row[1], row[2], row[4]) for row in found]
                return

    def resolved(self, address: Endpoint) -> list[SocketAddress]:
        """Return what `resolve` found."""
        return self._names[address.host, address.port]

    def complain(self, event: str, peer: str, problem: str) -> None:
        """Log a problem, or count it when the same was logged within the last second."""
        key = (event, peer, problem)
        if key not in self._complaints and len(self._complaints) >= MOST_COMPLAINTS:
            key = next(reversed(self._complaints))
        sentence = f"{key[1]}: {key[2]}"
        self.problems[sentence] = self.problems.get(sentence, 0) + 1
        now = time.monotonic()
        logged_at, count = self._complaints.get(key, (float("-inf"), 0))
        count += 1
        if now - logged_at >= COMPLAINTS_EVERY_S:
            event, peer, problem = key
            log.warning(event, peer=peer, problem=problem, connections=count)
            logged_at, count = now, 0
        self._complaints[key] = (logged_at, count)


def delays(rng: random.Random) -> Iterator[float]:
    """Yield the pauses before attempts to connect, s: doubling up to LONGEST_DELAY_S, each between half and all of it.

    The jitter keeps a fleet that was cut off at once from coming back at once.
    """
    longest = FIRST_DELAY_S
    while True:
        yield rng.uniform(longest / 2, longest)
        longest = min(longest * 2, LONGEST_DELAY_S)
