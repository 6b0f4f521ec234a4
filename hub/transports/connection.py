"""One client connection, whatever carries it: futures, the timer and back-pressure around a `Conversation`.

The transport (`Wire`) gives bytes to `receive` and reports when it is `closed`; all output goes through the outbox of
the conversation's subscriber.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Hashable
from typing import Protocol, cast

from hub.refusal import Reason, Refusal
from hub.stomp.conversation import Carrier, Conversation, Kept
from hub.stomp.deadlines import NEVER
from hub.transports.services import Room, Services


class Wire(Carrier, Protocol):
    """The writing side of a transport."""

    peer: str
    unsent: bytes  # of the last write, while the socket has not taken it

    @property
    def unread(self) -> int:
        """Return what there is of a message that is not complete."""


class Connection:
    """A client of the hub."""

    __slots__ = ("_deadlines", "_left", "_loop", "_services", "_talk", "_timer", "_timer_at", "_wire")

    def __init__(self, services: Services, wire: Wire) -> None:
        loop = self._loop = asyncio.get_running_loop()
        self._services = services
        self._wire = wire
        self._talk = Conversation(
            services.shared, wire, secrets.token_hex(8), loop.time(), self._wait_for, self._refused
        )
        self._deadlines = self._talk.deadlines
        self._left: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = NEVER
        services.connections.add(self)
        self._arm()

    @property
    def waiting_bytes(self) -> int:
        """Return the bytes that wait for the peer."""
        return self._talk.waiting_bytes

    @property
    def peer(self) -> str:
        """Return who it is."""
        return self._wire.peer

    @property
    def unsent(self) -> bytes:
        """Return what was written last, while the socket has not taken it."""
        return self._wire.unsent

    @property
    def unread(self) -> int:
        """Return what there is of a message that is not complete."""
        return self._wire.unread

    @property
    def closing(self) -> bool:
        """Whether it ends itself, and is only waiting for the peer."""
        return self._talk.closing

    def kept(self) -> Kept:
        """Return the memory that is taken for this client alone, its socket aside."""
        return self._talk.kept()

    def shed(self) -> None:
        """Give memory back."""
        self._talk.shed()
        self._arm()

    @property
    def opened(self) -> bool:
        """Whether CONNECT was accepted."""
        return self._talk.opened

    @property
    def owed(self) -> "tuple[asyncio.Future[None], ...]":
        """Return what receipts wait for, as far as it is the store."""
        return tuple(token for token in self._talk.owed if isinstance(token, asyncio.Future))

    def receive(self, data: bytes) -> Awaitable[None] | None:
        """Take bytes from the peer. Await what is returned before reading more (back-pressure)."""
        services = self._services
        if services.draining:
            return None
        services.counters.bytes_in += len(data)
        talk = self._talk
        talk.receive(data, self._loop.time())
        at = self._deadlines.at
        if at < self._timer_at or (at == NEVER and self._timer is not None):
            self._arm()
        if talk.leaving:
            left = self._left = self._loop.create_future()
            talk.when_left = self._let_go
            return left
        room = services.room
        if room is not None and talk.fed and room.full:
            return self._wait_for_room(room)
        memory = services.memory
        if memory is not None and talk.brought and memory.full:
            return self._wait_for_room(memory)
        return None

    def part_received(self) -> None:
        """Note bytes that the transport cannot hand over yet."""
        if not self._services.draining:
            self._talk.part_received(self._loop.time())
            self._arm()

    def resume_writing(self) -> None:
        """Resume writing: the wire is no longer busy."""
        self._talk.resume_writing()

    def writing_stalled(self) -> None:
        """Note that the wire did not take everything."""
        self._talk.writing_stalled(self._loop.time())
        self._arm()

    def overflow(self) -> None:
        """Return the peer up: it is too slow."""
        self._talk.overflow()

    def closed(self) -> None:
        """Forget everything: the wire is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._talk.closed()
        self._let_go()
        self._services.leave(self)

    def shut_down(self) -> None:
        """End the connection because the hub stops."""
        self._talk.shut_down()
        self._arm()

    def _refused(self, refusal: Refusal, login: str) -> None:
        self._services.refused(self._wire.peer, refusal, login)

    def _wait_for(self, token: Hashable) -> None:
        cast("asyncio.Future[None]", token).add_done_callback(self._durable)

    def _durable(self, future: "asyncio.Future[None]") -> None:
        failed = future.cancelled() or future.exception() is not None
        refusal = Refusal(Reason.NOT_STORED, "the readings could not be stored; send them again") if failed else None
        self._talk.settle(future, refusal)

    def _let_go(self) -> None:
        left, self._left = self._left, None
        if left is not None and not left.done():
            left.set_result(None)

    async def _wait_for_room(self, room: Room) -> None:
        self._deadlines.pause()
        self._services.counters.publishers_paused += 1
        try:
            await room.wait_not_full()
        finally:
            self._services.counters.publishers_paused -= 1
            self._deadlines.resume(self._loop.time())
            self._talk.alive(self._loop.time())
            self._arm()

    def _arm(self) -> None:
        """Set the timer to the earliest deadline; without one, to none: timers cost memory."""
        at = self._deadlines.at
        if self._timer_at <= at < NEVER:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = None if at == NEVER else self._loop.call_at(at, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._timer_at = NEVER
        self._talk.tick(self._loop.time())
        self._arm()
