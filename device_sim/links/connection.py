"""One connection of a simulated device or dashboard, from the first dial to the last: a state machine without a task.

    IDLE ──connect──▶ DIALLING ──TCP, TLS──▶ GREETING ──peer says yes──▶ UP ──lost──▶ WAITING ──back-off──▶ DIALLING
    any ──disconnect, cut──▶ IDLE        UP ──freeze──▶ FROZEN ──connect──▶ DIALLING

The reactor's poller and timers drive it, since there are thousands. What is said on the connection is a subclass's: it
greets, answers `_accepted` or `lost`, and drops its socket on demand. Not here: what is sent (`device_connection`).
"""

import enum
import functools
import socket
from collections.abc import Callable, Iterator

from device_sim.links.dial import Dial
from device_sim.links.identity import TlsFiles
from device_sim.links.poller import Watch
from device_sim.links.reactor import Reactor, delays
from device_sim.message import Will
from hub.clients.endpoint import Endpoint

CONNECT_DEADLINE_S = 10.0
GOODBYE_S = 1.0


class State(enum.Enum):
    """See the drawing above."""

    IDLE = enum.auto()
    DIALLING = enum.auto()
    GREETING = enum.auto()
    UP = enum.auto()
    WAITING = enum.auto()
    FROZEN = enum.auto()


Changed = Callable[[State, State], None]
"""A connection went from the first state to the second."""


class PersistentConnection:
    """`connect` and its opposites may be called in any state. Subclasses implement what raises NotImplementedError."""

    __slots__ = (
        "_attempt",
        "_changed",
        "_dial",
        "_reactor",
        "_sock",
        "_tls",
        "_waits",
        "_wanted",
        "_watch",
        "_will",
        "address",
        "state",
    )

    def __init__(self, address: Endpoint, tls: TlsFiles | None, reactor: Reactor, changed: Changed) -> None:
        self.address = address
        self.state = State.IDLE
        self._tls = tls
        self._reactor = reactor
        self._changed = changed
        self._wanted = False
        self._will: Will | None = None
        self._attempt = 0
        self._dial: Dial | None = None
        self._sock: socket.socket | None = None
        self._watch: Watch | None = None
        self._waits: Iterator[float] | None = None

    @property
    def wanted(self) -> bool:
        """Whether the connection stands or is being made."""
        return self._wanted

    def connect(self, will: Will | None = None) -> None:
        """Connect, and again whenever the connection is lost; a frozen connection is left for a new one."""
        self._wanted = True
        self._will = will
        if self.state is State.FROZEN:
            self._give_up()
        if self.state is State.IDLE:
            self._dial_now()

    def disconnect(self) -> None:
        """Send the protocol's good-bye and close."""
        self._wanted = False
        if self.state is State.UP:
            # The socket is closed when the good-bye has left; a peer that does not read is dropped at the deadline.
            self._reactor.timers.after(GOODBYE_S, functools.partial(self._overdue, self._attempt))
            self._say_goodbye()
        else:
            self._give_up()

    def cut(self) -> None:
        """Reset the connection as a power cut or a lost route does."""
        self._wanted = False
        self._give_up(reset=True)

    def freeze(self) -> None:
        """Keep the socket and neither read nor write: the peer finds out by its own means."""
        self._wanted = False
        if self.state is State.UP and self._watch is not None:
            self._reactor.poller.set(self._watch, read=False, write=False)
            self._to(State.FROZEN)
        else:
            self._give_up()

    def lost(self, problem: str) -> None:
        """Note that the socket was closed, and why; "" after our own good-bye."""
        if self._wanted:
            self._try_again("connection_lost" if self.state is State.UP else "unreachable", problem or "closed")
        else:
            self._to(State.IDLE)

    def wait_to_write(self, *, wanted: bool) -> None:
        """Bytes wait, or no longer wait, for the socket to take them."""
        if self._watch is not None:
            self._reactor.poller.set(self._watch, read=True, write=wanted)

    def socket_closing(self) -> None:
        """The socket is about to be closed: nobody may watch it from now on."""
        if self._watch is not None:
            self._reactor.poller.set(self._watch, read=False, write=False)
            self._watch = None
        self._sock = None

    def _greet(self, sock: socket.socket) -> None:
        """Send the first bytes, after `_watch_with`."""
        raise NotImplementedError

    def _say_goodbye(self) -> None:
        """Send the good-bye; close the socket and call `lost` when it has left."""
        raise NotImplementedError

    def _drop(self, *, reset: bool) -> None:
        """Close the socket if there is one, without a good-bye and without calling `lost`; `reset` sends a TCP RST."""
        raise NotImplementedError

    def _watch_with(self, on_read: Callable[[], object], on_write: Callable[[], object]) -> None:
        assert self._sock is not None  # noqa: S101 - called from _greet
        self._watch = Watch(self._sock.fileno(), on_read, on_write)
        self._reactor.poller.set(self._watch, read=True, write=False)

    def _accepted(self) -> None:
        self._waits = None
        self._to(State.UP)

    def _dial_now(self) -> None:
        self._attempt += 1
        self._to(State.DIALLING)
        self._dial = Dial(self.address, self._tls, self._reactor, self._opened, self._failed)
        self._reactor.timers.after(CONNECT_DEADLINE_S, functools.partial(self._overdue, self._attempt))
        self._dial.start()

    def _opened(self, sock: socket.socket) -> None:
        self._dial = None
        self._sock = sock
        self._to(State.GREETING)
        self._greet(sock)

    def _failed(self, problem: str) -> None:
        self._dial = None
        self._try_again("unreachable", problem)

    def _overdue(self, attempt: int) -> None:
        if attempt != self._attempt:
            return
        if not self._wanted and self.state is State.UP:
            self._give_up()
        elif self.state in {State.DIALLING, State.GREETING}:
            self._give_up()
            self._try_again("unreachable", f"no answer within {CONNECT_DEADLINE_S:.0f} s")

    def _try_again(self, event: str, problem: str) -> None:
        self._reactor.complain(event, str(self.address), problem)
        self._to(State.WAITING)
        if self._waits is None:
            self._waits = delays(self._reactor.rng)
        self._reactor.timers.after(next(self._waits), functools.partial(self._retry, self._attempt))

    def _retry(self, attempt: int) -> None:
        if attempt == self._attempt and self.state is State.WAITING:
            self._dial_now()

    def _give_up(self, *, reset: bool = False) -> None:
        """Abandon whatever is under way, without a good-bye."""
        if self._dial is not None:
            self._dial.cancel()
            self._dial = None
        self._drop(reset=reset)
        self._to(State.IDLE)

    def _to(self, state: State) -> None:
        before, self.state = self.state, state
        if before is not state:
            self._changed(before, state)
