"""One MQTT connection and what is unacknowledged on it: a state machine that the link's poller and timers drive.

    IDLE ──connect──▶ DIALLING ──TCP, TLS──▶ GREETING ──CONNACK──▶ UP ──lost──▶ WAITING ──back-off──▶ DIALLING
    any ──disconnect, cut──▶ IDLE        UP ──freeze──▶ FROZEN ──connect──▶ DIALLING

No task and no timer object of its own, since a fleet has thousands. Rules: `window` messages are unacknowledged at most
(paho would queue without limit and ignores the broker's Receive Maximum: reliability reference, M14); up to `hold` wait
beside them while the connection is down or its window full, after that the oldest is dropped and counted, as a device with
a full memory does. What is unacknowledged when a connection is lost is sent again on the next one, oldest first, with DUP,
before anything new.
"""

import enum
import functools
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from device_sim.links.backoff import delays
from device_sim.links.dial import Dial
from device_sim.links.mqtt_client import BurstClient
from device_sim.links.mqtt_identity import MqttIdentity
from device_sim.links.mqtt_packets import publish_packet
from device_sim.links.poller import Watch
from device_sim.links.reactor import Reactor
from device_sim.message import Message, Will

CONNECT_DEADLINE_S = 10.0
GOODBYE_S = 1.0
# A broker that takes messages and never acknowledges (its disk full, its store stuck) is left and tried again: MQTT
# resends only on a new connection (MQTT-4.4.0-1).
ACK_DEADLINE_S = 30.0
LONGEST_TEND_S = 5.0
LAST_MID = 65_535


class State(enum.Enum):
    """See the drawing above."""

    IDLE = enum.auto()
    DIALLING = enum.auto()
    GREETING = enum.auto()
    UP = enum.auto()
    WAITING = enum.auto()
    FROZEN = enum.auto()


class Bounds(NamedTuple):
    """Of one connection, in messages."""

    window: int
    hold: int = 0


class ConnectionEvents(NamedTuple):
    """What the link wants to know; one object for all connections."""

    acknowledged: Callable[[Sequence[Message]], None]
    given_up: Callable[[Sequence[Message], str], None]
    """These will never be acknowledged: refused by the broker, or no room to hold them. The second is the reason."""
    changed: Callable[[State, State], None]
    """A connection went from the first state to the second."""


class MqttConnection:
    """Implements `mqtt_client.ClientOwner`. `connect` and its opposites may be called in any state."""

    __slots__ = (
        "_acked_at",
        "_attempt",
        "_bounds",
        "_client",
        "_dial",
        "_events",
        "_held",
        "_mid",
        "_reactor",
        "_tending",
        "_unacknowledged",
        "_waits",
        "_wanted",
        "_watch",
        "_will",
        "identity",
        "state",
    )

    def __init__(self, identity: MqttIdentity, reactor: Reactor, events: ConnectionEvents, bounds: Bounds) -> None:
        self.identity = identity
        self.state = State.IDLE
        self._reactor = reactor
        self._events = events
        self._bounds = bounds
        self._client = BurstClient(identity, self)
        self._unacknowledged: dict[int, Message] = {}  # by message id, in the order of sending
        self._held: deque[Message] | None = None
        self._mid = 0
        self._acked_at = 0.0
        self._wanted = False
        self._attempt = 0
        self._tending = False
        self._dial: Dial | None = None
        self._watch: Watch | None = None
        self._waits: Iterator[float] | None = None
        self._will: Will | None = None

    @property
    def room(self) -> int:
        """How many messages could leave now."""
        return self._bounds.window - len(self._unacknowledged) if self.state is State.UP else 0

    @property
    def outstanding(self) -> int:
        return len(self._unacknowledged) + (len(self._held) if self._held else 0)

    @property
    def wanted(self) -> bool:
        """Whether what is outstanding may still be acknowledged, as the connection stands or is being made."""
        return self._wanted

    def connect(self, will: Will | None = None) -> None:
        """Connect, and again whenever the connection is lost; a frozen connection is left for a new one."""
        self._wanted = True
        self._will = will
        if self.state is State.FROZEN:
            self._client.drop()
            self._to(State.IDLE)
        if self.state is State.IDLE:
            self._dial_now()

    def disconnect(self) -> None:
        """Say DISCONNECT and close: the broker forgets the will."""
        self._wanted = False
        if self.state is State.UP:
            # Closes the socket when the packet has left; a broker that does not read is left at the deadline.
            self._client.disconnect()
            self._reactor.timers.after(GOODBYE_S, functools.partial(self._overdue, self._attempt))
        else:
            self._give_up()

    def cut(self) -> None:
        """Reset the connection as a power cut or a lost route does: the broker publishes the will."""
        self._wanted = False
        self._give_up(reset=True)

    def freeze(self) -> None:
        """Keep the socket and neither read nor write: the broker finds out by its keep-alive."""
        self._wanted = False
        if self.state is not State.UP:
            self._give_up()
            return
        assert self._watch is not None  # noqa: S101 - UP has one
        self._reactor.poller.set(self._watch, read=False, write=False)
        self._to(State.FROZEN)

    def send(self, messages: Sequence[Message]) -> None:
        """Send what the window allows, hold the rest."""
        if self.state is State.UP and not self._held:
            fits = self.room
            if fits >= len(messages):
                self._transmit(messages)
                return
            self._transmit(messages[:fits])
            messages = messages[fits:]
        if self._held is None:
            self._held = deque()
        self._held.extend(messages)
        over = len(self._held) - self._bounds.hold
        if over > 0:
            self._events.given_up([self._held.popleft() for _ in range(over)], "device_full")

    # What the client tells, on the loop and within the client's own calls.

    def accepted(self) -> None:
        self._waits = None
        self._acked_at = time.monotonic()
        self._to(State.UP)
        if self._unacknowledged:
            again = [self._packet(mid, message, again=True) for mid, message in self._unacknowledged.items()]
            self._client.publish_burst(b"".join(again))
        self._send_held()
        if not self._tending:
            self._tending = True
            self._tend()

    def lost(self, problem: str) -> None:
        if not self._wanted:
            self._to(State.IDLE)
            return
        self._try_again("mqtt_lost" if self.state is State.UP else "mqtt_unreachable", problem or "closed")

    def pubacks(self, taken: list[int], refused: list[int]) -> None:
        self._acked_at = time.monotonic()
        pop = self._unacknowledged.pop
        if messages := [message for mid in taken if (message := pop(mid, None)) is not None]:
            self._events.acknowledged(messages)
        if messages := [message for mid in refused if (message := pop(mid, None)) is not None]:
            self._events.given_up(messages, "refused")
        if self._held and self.state is State.UP:
            self._send_held()

    def wait_to_write(self, *, wanted: bool) -> None:
        if self._watch is not None:
            self._reactor.poller.set(self._watch, read=True, write=wanted)

    def socket_closing(self) -> None:
        if self._watch is not None:
            self._reactor.poller.set(self._watch, read=False, write=False)
            self._watch = None

    def _dial_now(self) -> None:
        self._attempt += 1
        self._to(State.DIALLING)
        identity = self.identity
        self._dial = Dial(identity.address, identity.tls, self._reactor, self._opened, self._failed)
        self._reactor.timers.after(CONNECT_DEADLINE_S, functools.partial(self._overdue, self._attempt))
        self._dial.start()

    def _opened(self, sock: socket.socket) -> None:
        self._dial = None
        self._to(State.GREETING)
        client = self._client
        self._watch = Watch(sock.fileno(), client.loop_read, client.loop_write)
        self._reactor.poller.set(self._watch, read=True, write=False)
        client.connect_over(sock, self.identity.address.host, self.identity.address.port, self._will)

    def _failed(self, problem: str) -> None:
        self._dial = None
        self._try_again("mqtt_unreachable", problem)

    def _overdue(self, attempt: int) -> None:
        if attempt != self._attempt:
            return
        if not self._wanted and self.state is State.UP:
            self._give_up()
        elif self.state in {State.DIALLING, State.GREETING}:
            self._give_up()
            self._try_again("mqtt_unreachable", f"no answer within {CONNECT_DEADLINE_S:.0f} s")

    def _try_again(self, event: str, problem: str) -> None:
        self._reactor.complain(event, str(self.identity.address), problem)
        self._to(State.WAITING)
        if self._waits is None:
            self._waits = delays(self._reactor.rng)
        self._reactor.timers.after(next(self._waits), functools.partial(self._retry, self._attempt))

    def _retry(self, attempt: int) -> None:
        if attempt == self._attempt and self.state is State.WAITING:
            self._dial_now()

    def _give_up(self, *, reset: bool = False) -> None:
        """Leave whatever is under way, without a word to the broker."""
        if self._dial is not None:
            self._dial.cancel()
            self._dial = None
        self._client.drop(reset=reset)
        self._to(State.IDLE)

    def _tend(self) -> None:
        """Look after keep-alive and acknowledgements, and come again when there may be something to do."""
        if self.state is not State.UP:
            self._tending = False
            return
        self._client.loop_misc()
        overdue = self._unacknowledged and time.monotonic() - self._acked_at > ACK_DEADLINE_S
        if overdue and self.state is State.UP:
            self._give_up()
            self._try_again("mqtt_lost", f"no acknowledgement for {ACK_DEADLINE_S:.0f} s")
        self._reactor.timers.after(min(max(self._client.check_due_s(), 0.0), LONGEST_TEND_S), self._tend)

    def _send_held(self) -> None:
        held = self._held
        while held and (room := self.room) > 0:
            self._transmit([held.popleft() for _ in range(min(room, len(held)))])

    def _transmit(self, messages: Sequence[Message]) -> None:
        if not self._unacknowledged:
            self._acked_at = time.monotonic()
        if len(messages) == 1 and messages[0].qos:
            message = messages[0]
            mid = self._free_mid()
            self._unacknowledged[mid] = message
            self._client.publish_burst(self._packet(mid, message, again=False))
            return
        packets = []
        for message in messages:
            mid = 0
            if message.qos:
                mid = self._free_mid()
                self._unacknowledged[mid] = message
            packets.append(self._packet(mid, message, again=False))
        self._client.publish_burst(b"".join(packets))
        if unanswered := [message for message in messages if not message.qos]:
            self._events.given_up(unanswered, "qos_0")

    def _packet(self, mid: int, message: Message, *, again: bool) -> bytes:
        return publish_packet(
            mid,
            message.topic,
            message.payload,
            again=again,
            qos=message.qos,
            retain=message.retain,
            v5=self.identity.version == 5,
        )

    def _free_mid(self) -> int:
        while True:
            self._mid = self._mid % LAST_MID + 1
            if self._mid not in self._unacknowledged:
                return self._mid

    def _to(self, state: State) -> None:
        before, self.state = self.state, state
        if before is not state:
            self._events.changed(before, state)
