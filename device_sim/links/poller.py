"""Many sockets on one event loop: one descriptor of the loop stands for all of them.

An asyncio reader costs a handle, a context and, with uvloop, a poll object for each socket, and a call through all of
these for each event. Here an epoll (kqueue) of our own holds the sockets, the loop watches only *its* descriptor, and one
wake-up serves every socket that is ready; `after` runs once at the end of each, so that what came on a thousand sockets
is handed on as one list.

Rules: callbacks run on the loop and never block; they may watch and forget any socket, their own included. An exception
out of a callback is a bug: it is kept in `failure` for the owner to raise, the other sockets are served on.
"""

import asyncio
import select
import selectors
from collections.abc import Callable
from typing import Final

MAX_EVENTS: Final = 250
"""Served in one go, a few milliseconds; the rest follows after the loop had its turn."""
READ: Final = selectors.EVENT_READ
WRITE: Final = selectors.EVENT_WRITE


class Watch:
    """What is called for one socket, for the sides that `mask` names."""

    __slots__ = ("descriptor", "mask", "on_read", "on_write")

    def __init__(self, descriptor: int, on_read: Callable[[], object], on_write: Callable[[], object]) -> None:
        self.descriptor = descriptor
        self.on_read = on_read
        self.on_write = on_write
        self.mask = 0


class Poller:
    """Owned by a link: `start` on the loop, `close` at the end."""

    def __init__(self, after: Callable[[], None] = lambda: None) -> None:
        self._ready = _Epoll() if hasattr(select, "epoll") else _Selector()
        self._after = after
        self._loop: asyncio.AbstractEventLoop | None = None
        self.failure: Exception | None = None

    def start(self) -> None:
        """Begin to serve on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._ready.fileno(), self._serve)

    def close(self) -> None:
        """Stop serving; the sockets are their owners' to close."""
        if self._loop is not None:
            self._loop.remove_reader(self._ready.fileno())
            self._loop = None
        self._ready.close()

    def set(self, watch: Watch, *, read: bool, write: bool) -> None:
        """Wait for these sides from now on; neither forgets the socket, which is done before it is closed."""
        mask = (READ if read else 0) | (WRITE if write else 0)
        if mask != watch.mask:
            self._ready.change(watch, mask)
            watch.mask = mask

    def _serve(self) -> None:
        readable, writable = self._ready.readable, self._ready.writable
        for watch, events in self._ready.take():
            # What an earlier callback of this round forgot must not be called: its descriptor may be another's by now.
            try:
                if events & readable and watch.mask & READ:
                    watch.on_read()
                if events & writable and watch.mask & WRITE:
                    watch.on_write()
            except Exception as error:  # noqa: BLE001 - task border: one socket's bug is reported, and does not end the others
                self.failure = self.failure or error
        try:
            self._after()
        except Exception as error:  # noqa: BLE001 - task border: what came is lost to the owner, who must know
            self.failure = self.failure or error


Readiness = tuple[Watch, int]
"""A socket, and bits that say whether it can be read and written: those of `readable` and `writable`."""


class _Epoll:
    """Linux: `selectors` would spend as much again on each event."""

    def __init__(self) -> None:
        # What is lost or hung up is found out by both sides.
        self.readable, self.writable = ~select.EPOLLOUT, ~select.EPOLLIN
        self._epoll = select.epoll()
        self._watches: dict[int, Watch] = {}

    def fileno(self) -> int:
        return self._epoll.fileno()

    def close(self) -> None:
        self._epoll.close()

    def change(self, watch: Watch, mask: int) -> None:
        events = (select.EPOLLIN if mask & READ else 0) | (select.EPOLLOUT if mask & WRITE else 0)
        if not mask:
            del self._watches[watch.descriptor]
            self._epoll.unregister(watch.descriptor)
        elif watch.mask:
            self._epoll.modify(watch.descriptor, events)
        else:
            self._watches[watch.descriptor] = watch
            self._epoll.register(watch.descriptor, events)

    def take(self) -> list[Readiness]:
        watches = self._watches
        return [(watches[descriptor], events) for descriptor, events in self._epoll.poll(0, MAX_EVENTS)]


class _Selector:
    """Elsewhere (kqueue)."""

    readable, writable = READ, WRITE

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def fileno(self) -> int:
        return self._selector.fileno()

    def close(self) -> None:
        self._selector.close()

    def change(self, watch: Watch, mask: int) -> None:
        if not mask:
            self._selector.unregister(watch.descriptor)
        elif watch.mask:
            self._selector.modify(watch.descriptor, mask, watch)
        else:
            self._selector.register(watch.descriptor, mask, watch)

    def take(self) -> list[Readiness]:
        return [(key.data, events) for key, events in self._selector.select(0)[:MAX_EVENTS]]
