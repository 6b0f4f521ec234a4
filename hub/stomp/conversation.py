"""One client's conversation with the hub: session, subscriber, the receipts that are owed and their order. No I/O.

Bytes come in by `receive`, with the time; bytes go out through the sink. The rest of the contract:

    settle(token, failure)     what `wait_for(token)` asked for has come: a batch is durable, or is not
    resume_writing(now)        the sink is no longer busy
    tick(now)                  to be called at `deadlines.at`; look at that after each call
    closed()                   the sink is gone

The conversation ends itself by `Carrier.close`. What the session found wrong, or the broker refused, becomes one ERROR
frame, written before that. Receipts of SENDs that a tap of the broker takes (telemetry) wait until they are durable, those
of SENDs that consumers take further (commands, by a bridge) for their ACKs; others are answered once the frame is
processed. DISCONNECT's receipt comes last, when nothing is waiting any more.
"""

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple, Protocol

from hub.access.logins import Logins
from hub.broker.broker import Broker
from hub.broker.confirmations import Confirmation
from hub.broker.outbox import Joined, Sink
from hub.broker.publication import Arrival, answer_item
from hub.broker.subscriber import Kept as SubscriberKept
from hub.broker.subscriber import Subscriber, SubscriberLimits
from hub.refusal import CloseCode, Reason, Refusal
from hub.stomp.commands import SENDING_BYTES, Commands, Sending
from hub.stomp.deadlines import DeadlineLimits, Deadlines, Due
from hub.stomp.debts import Debts
from hub.stomp.decoder import HeaderCache
from hub.stomp.encoder import Encoders, Framing, encode_receipt
from hub.stomp.frames import DISCONNECT, SEND, SUBSCRIBE, UNSUBSCRIBE, Frame, Head
from hub.stomp.heartbeat import BEAT, Pulse
from hub.stomp.session import Commit, Connect, Event, Failure, Receipt, Session, SessionLimits, State


class Carrier(Sink, Protocol):
    """What carries a conversation: a socket, or a test's stand-in for one."""

    loopback: bool  # whether the peer is on this machine

    def framing(self) -> Framing:
        """Return what makes the bytes that go before each frame; asked once, when the connection opens."""

    def keep_alive(self) -> None:
        """Check from now on whether the peer is there: it sends no heart-beats."""

    def close(self, code: int, reason: str) -> None:
        """Close once what was written is out; give up after a deadline."""


class Shared(NamedTuple):
    """What all conversations of a hub share."""

    broker: Broker
    clock: Callable[[], float]  # s, monotonic
    logins: Logins
    session: SessionLimits
    subscriber: SubscriberLimits
    deadlines: DeadlineLimits
    header_cache: HeaderCache
    encoders: Encoders


Told = Callable[[Refusal, str], None]
"""Takes what was refused, and the login: for the log."""


class Kept(NamedTuple):
    """Bytes that are kept for one client."""

    outbox: int
    held: int  # by windows and pacers, for its subscriptions on topics
    work: int  # deliveries of work queues that are not acknowledged
    received: int  # open transactions, and frames that are not complete
    remembered: int  # header blocks

    @property
    def sending(self) -> int:
        """Return what is there for its subscriptions."""
        return self.outbox + self.held + self.work


_NOTHING = SubscriberKept(0, 0, 0)


class Conversation:
    """A client of the hub."""

    __slots__ = (
        "_carrier",
        "_closing",
        "_commands",
        "_confirm_by",
        "_debts",
        "_framing",
        "_leaving",
        "_login",
        "_sendings",
        "_session",
        "_session_id",
        "_shared",
        "_subscriber",
        "_told",
        "_wait_for",
        "brought",
        "deadlines",
        "fed",
        "when_left",
    )

    def __init__(
        self,
        shared: Shared,
        carrier: Carrier,
        session_id: str,
        now: float,
        wait_for: Callable[[Hashable], None],
        told: Told,
    ) -> None:
        """Begin one.

        Args:
            shared: the parts of the hub.
            carrier: where bytes go.
            session_id: a text that no other connection has.
            now: the time, s, monotonic.
            wait_for: takes a token of the broker's taps; `settle` is to be called when it has come.
            told: called with refusals, for the log.
        """
        self.deadlines = Deadlines(shared.deadlines, now)
        self.when_left: Callable[[], None] | None = None  # called when a DISCONNECT has its last RECEIPT
        self.fed = False  # the last bytes brought telemetry: back-pressure is for this peer
        self.brought = False  # the last bytes brought messages of any kind
        self._shared = shared
        self._carrier = carrier
        self._session_id = session_id
        self._wait_for = wait_for
        self._told = told
        self._login = ""
        self._sendings: dict[Head, Sending] = {}
        self._session = Session(shared.session, shared.header_cache, self._check_send, self._sendings)
        self._commands: Commands | None = None
        self._subscriber: Subscriber | None = None
        self._framing: Framing | None = None
        self._debts: Debts | None = None  # made when first needed: idle connections stay small
        self._closing: tuple[int, str] | None = None
        self._leaving: str | None = None  # the receipt of a DISCONNECT that waits for others
        self._confirm_by: deque[tuple[float, Confirmation]] | None = None

    @property
    def opened(self) -> bool:
        """Whether CONNECT was accepted."""
        return self._commands is not None

    @property
    def beats(self) -> bool:
        """Whether the peer's heart-beats show that it is there."""
        heartbeat = self._session.heartbeat
        return heartbeat is not None and heartbeat.expect_s > 0

    @property
    def leaving(self) -> bool:
        """Whether a DISCONNECT waits for receipts that are owed: nothing more is read."""
        return self._leaving is not None

    @property
    def owed(self) -> tuple[Hashable, ...]:
        """Return what receipts wait for."""
        return () if self._debts is None else tuple(self._debts.tokens)

    @property
    def waiting_bytes(self) -> int:
        """Return the bytes that wait for the peer."""
        return 0 if self._subscriber is None else self._subscriber.outbox.waiting_bytes

    @property
    def closing(self) -> bool:
        """Whether it ends itself, and is only waiting for the peer."""
        return self._closing is not None

    def kept(self) -> Kept:
        """Return the memory that is taken for this client alone."""
        subscriber = self._subscriber
        mine = _NOTHING if subscriber is None else subscriber.kept()
        return Kept(*mine, self._session.kept_bytes, SENDING_BYTES * len(self._sendings))

    def shed(self) -> None:
        """Give memory back. What may be dropped goes first; who keeps more than that is ended."""
        kept = self.kept()
        if kept.received + kept.remembered > kept.sending:
            self._sendings.clear()
            if kept.received > kept.remembered:
                text = "the hub's memory is used up, and this connection's open transactions and frames hold most of it"
                self._fail(Refusal(Reason.MEMORY_FULL, text))
            return
        if self._subscriber is not None:
            self._subscriber.shed()
        if self.kept().sending > 0.75 * kept.sending:
            self.overflow()

    # What the carrier tells.

    def receive(self, data: bytes, now: float) -> None:
        """Take bytes from the peer."""
        session = self._session
        opening = session.state is State.WAITING
        self.fed = self.brought = False
        events = session.receive(data, now)
        while events:
            self._handle(events, now)
            if not opening or session.state is not State.OPEN:
                break
            # CONNECT was answered: what was pipelined behind it may be read now.
            opening = False
            events = session.receive(b"", now)
        if session.gathering:
            self.brought = True
        if session.frame_started:
            self.deadlines.frame(now, another=session.frame_new)
        else:
            self.deadlines.frame_complete()

    def part_received(self, now: float) -> None:
        """Note bytes that the carrier cannot hand over yet: a sign of life, and the start of a frame's time."""
        self.alive(now)
        self.deadlines.frame(now, another=False)

    def alive(self, now: float) -> None:
        """Note a sign of life."""
        if self._session.heartbeat is not None:
            self._session.heartbeat.last_received = now

    def settle(self, token: Hashable, failure: Refusal | None = None) -> None:
        """Answer the receipts that waited for a token, or end the conversation if it failed."""
        debts = self._debts
        if debts is None:
            return
        if failure is None:
            self._answer(debts.settle(token))
            return
        failure.receipt = debts.fail(token)
        if self._session.state is State.OPEN or self._leaving is not None:
            self._leaving = None
            self._fail(failure)

    def writing_stalled(self, now: float) -> None:
        """Note that the sink did not take everything."""
        self.deadlines.writing_stalled(now)

    def resume_writing(self) -> None:
        """Resume writing: the sink is no longer busy."""
        self.deadlines.writing_resumed()
        subscriber = self._subscriber
        if subscriber is None:
            return
        subscriber.resume()
        if self._closing is not None and not subscriber.outbox.congested:
            self._carrier.close(*self._closing)

    def overflow(self) -> None:
        """Return the peer up: it is too slow."""
        if self._closing is None:
            self._shared.broker.counters.slow_consumers += 1
            self._told(Refusal(Reason.SLOW_CONSUMER, "the peer does not read what it subscribed to"), self._login)
        self._close(CloseCode.POLICY_VIOLATION, Reason.SLOW_CONSUMER.value, at_once=True)

    def tick(self, now: float) -> None:
        """Do what is due."""
        deadlines = self.deadlines
        limits = self._shared.deadlines
        due = deadlines.due(now)
        if due is Due.CONNECT:
            self._fail(Refusal(Reason.TIMEOUT, f"no CONNECT within {limits.connect_s:g} s"))
        elif due is Due.FRAME:
            self._fail(Refusal(Reason.TIMEOUT, f"a frame was not complete within {limits.frame_s:g} s"))
        elif due is Due.CLOSE and self._closing is not None:
            self._carrier.close(*self._closing)
        elif due is Due.STALL and self._subscriber is not None and self._subscriber.outbox.shedding:
            self.overflow()
        self._confirmations_due(now)
        heartbeat = self._session.heartbeat if self._session.state is State.OPEN else None
        if heartbeat is not None:
            if deadlines.paused:
                heartbeat.last_received = now
            pulse = heartbeat.poll(now)
            if pulse is Pulse.DEAD:
                self._close(CloseCode.PROTOCOL_ERROR, "heart-beat timeout")
            elif pulse is Pulse.BEAT:
                self._push(BEAT)  # an item of the outbox, so that it never comes inside a frame
        deadlines.plan(
            now,
            self._confirm_by[0][0] if self._confirm_by else None,
            None if heartbeat is None else heartbeat.deadline(),
        )

    def shut_down(self) -> None:
        """End the connection, because the hub stops."""
        self._close(CloseCode.GOING_AWAY, "the hub is shutting down")

    def closed(self) -> None:
        """Forget everything: the carrier is gone."""
        self._session.close()
        if self._subscriber is not None:
            self._subscriber.close()

    # Events of the session.

    def _handle(self, events: list[Event], now: float) -> None:
        batch: list[Arrival] = []
        receipts: list[str] = []
        try:
            for event in events:
                if type(event) is Frame and event[0].command == SEND:
                    commands = self._opened()
                    arrival = commands.arrival(event)
                    receipt = event[2]
                    if not commands.apart(arrival[0], receipt):
                        # SENDs in a row go to the broker together.
                        batch.append(arrival)
                        if receipt is not None:
                            receipts.append(receipt)
                        continue
                    batch, receipts = self._publish(batch, receipts, now)
                    self._publish([arrival], [] if receipt is None else [receipt], now)
                else:
                    batch, receipts = self._publish(batch, receipts, now)
                    self._rare(event, now)
            self._publish(batch, receipts, now)
        except Refusal as refusal:
            self._publish(batch, receipts, now)  # what came before the frame that is refused
            self._fail(refusal)

    def _publish(self, batch: list[Arrival], receipts: list[str], now: float) -> tuple[list[Arrival], list[str]]:
        """Publish messages and owe their receipts; return what the next ones gather in."""
        if batch and self._closing is None:
            self.brought = True
            origin = self._opened().origin
            try:
                tokens = self._shared.broker.publish(batch, origin, confirm=bool(receipts))
            except Refusal as refusal:
                refusal.receipt = receipts[0] if receipts else None
                raise
            self._owe(tokens, receipts, now)
        return [], []

    def _owe(self, tokens: Sequence[Hashable], receipts: list[str], now: float) -> None:
        if not tokens:
            self._answer(receipts)
            return
        self.fed = True
        if not receipts:
            return
        if self._debts is None:
            self._debts = Debts(self._await)
        for token in tokens:
            if isinstance(token, Confirmation):
                by = now + self._shared.deadlines.confirm_s
                self._confirm_by = self._confirm_by if self._confirm_by is not None else deque()
                self._confirm_by.append((by, token))
                self.deadlines.look(by)
        self._debts.owe(tokens, receipts)

    def _await(self, token: Hashable) -> None:
        if isinstance(token, Confirmation):
            token.when_settled(
                lambda why: self.settle(token, None if why is None else Refusal(Reason.NOT_CONFIRMED, why))
            )
        else:
            self._wait_for(token)

    def _confirmations_due(self, now: float) -> None:
        late = f"its consumer did not acknowledge within {self._shared.deadlines.confirm_s:g} s; it is unknown whether "
        while self._confirm_by and self._confirm_by[0][0] <= now:
            _, confirmation = self._confirm_by.popleft()
            confirmation.refuse(f"{late}the message arrived")

    def _rare(self, event: Event, now: float) -> None:
        if self._closing is not None:
            return  # what came before in the burst ended the conversation: a subscription would outlive it
        if isinstance(event, Connect):
            self._connect(event, now)
        elif isinstance(event, Commit):
            self._commit(event, now)
        elif isinstance(event, Receipt):
            self._answer([event.receipt])
        elif isinstance(event, Failure):
            raise event.error
        else:
            self._command(event)

    def _connect(self, event: Connect, now: float) -> None:
        shared = self._shared
        self._login = event.headers.get("login") or ""
        shared.broker.budget.admit("another connection")
        principal = shared.logins.admit(event.headers, loopback=self._carrier.loopback)
        framing = self._framing = self._carrier.framing()
        connected = self._session.accept(self._session_id, now)
        subscriber = self._subscriber = Subscriber(shared.broker, self._carrier, shared.subscriber)
        self._commands = Commands(
            shared.broker,
            subscriber,
            shared.encoders,
            self._session.dialect,
            framing,
            self._session_id,
            principal,
            self._sendings,
        )
        self._push(connected)
        if not self.beats:
            self._carrier.keep_alive()
        self.deadlines.opened()
        heartbeat = self._session.heartbeat
        self.deadlines.plan(now, None if heartbeat is None else heartbeat.deadline())

    def _commit(self, event: Commit, now: float) -> None:
        self.brought = True
        commands = self._opened()
        frames, receipt, settles = event
        receipts = [asked for _, _, asked in frames if asked is not None]
        if receipt is not None:
            receipts.append(receipt)
        if not settles:
            arrivals = [commands.arrival(frame) for frame in frames]
        else:
            # Nothing is done before all of it is known to be possible.
            commands.check_settlements(frames)
            arrivals = [commands.arrival(frame) for frame in frames if frame.head.command == SEND]
        try:
            tokens = self._shared.broker.publish(arrivals, commands.origin, confirm=bool(receipts))
        except Refusal as refusal:
            refusal.receipt = receipt
            raise
        if settles:
            for frame in frames:
                if frame.head.command != SEND:
                    commands.settle(frame, covered=True)
        self._owe(tokens, receipts, now)

    def _command(self, frame: Frame) -> None:
        commands, subscriber = self._opened(), self._subscriber
        command = frame.head.command
        receipts = [] if frame.receipt is None else [frame.receipt]
        if command == SUBSCRIBE:
            subscription = commands.subscribe(frame)
            self._answer(receipts)
            if subscriber is not None:
                subscriber.begin(subscription)  # after the RECEIPT
        elif command == UNSUBSCRIBE:
            commands.unsubscribe(frame)
            self._answer(receipts)
        elif command == DISCONNECT:
            self._disconnect(frame.receipt)
        else:
            commands.settle(frame)
            self._answer(receipts)

    def _disconnect(self, receipt: str | None) -> None:
        # Requeue and abort come before the RECEIPT, so that a second connection finds the messages.
        if self._subscriber is not None:
            self._subscriber.outbox.flush(Joined())
            self._subscriber.close()
        if receipt is not None and self._debts:
            self._leaving = receipt
            return
        if receipt is not None:
            self._answer([receipt])
        self._close(CloseCode.NORMAL, "")

    def _opened(self) -> Commands:
        if self._commands is None:
            raise Refusal(Reason.NOT_CONNECTED, "a frame before CONNECTED")
        return self._commands

    def _check_send(self, frame: Frame) -> None:
        self._opened().check_send(frame)

    # Answers.

    def _answer(self, receipts: list[str]) -> None:
        if receipts:
            dialect = self._session.dialect
            self._push(*[encode_receipt(receipt, dialect) for receipt in receipts])
        if self._leaving is not None and not self._debts:
            leaving, self._leaving = self._leaving, None
            self._push(encode_receipt(leaving, self._session.dialect))
            self._close(CloseCode.NORMAL, "")
            if self.when_left is not None:
                self.when_left()

    def _push(self, *frames: bytes) -> None:
        subscriber, framing = self._subscriber, self._framing
        if subscriber is not None and framing is not None:
            subscriber.outbox.push(answer_item(b"".join([framing(len(frame), True) + frame for frame in frames])))

    def _fail(self, refusal: Refusal) -> None:
        """Write the ERROR, then close; nothing comes after it."""
        if self._closing is not None:
            return
        self._told(refusal, self._login)
        frame = self._session.fail(refusal)
        if self._subscriber is not None:
            self._push(frame)
        else:
            framing = self._framing or self._carrier.framing()
            self._carrier.write(framing(len(frame), True) + frame)
        self._close(refusal.answer.close_code, refusal.reason.value)

    def _close(self, code: int, reason: str, *, at_once: bool = False) -> None:
        """Close when what waits is written, or the deadline for that has passed."""
        if self._closing is not None:
            return
        self._closing = (code, reason)
        self._session.close()
        subscriber = self._subscriber
        if subscriber is not None:
            subscriber.outbox.flush(Joined())
            subscriber.close()
            if subscriber.outbox.congested and not at_once:
                self.deadlines.closing(self._shared.clock())
                return
        self._carrier.close(code, reason)
