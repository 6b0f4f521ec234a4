"""One client connection, whatever carries it: protocol session, broker client, durable receipts, clocks.

The transport (`Wire`) gives octets to `receive` and says when it is `closed`; everything that goes out passes the client's
outbox. What the session found wrong, or the broker refused, becomes one ERROR frame, flushed before the wire is closed.

Receipts of SENDs to telemetry routes wait for their batch to be durable (design, "The promise"), those of SENDs that
consumers take further (commands, by a bridge) for their ACKs; others are answered once the frame is processed.
DISCONNECT's receipt comes last, when nothing is waiting any more.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol

from hub.broker.client import Client
from hub.broker.outbox import Joined, Sink
from hub.broker.publication import Framing, control_item
from hub.broker.publisher import Arrival
from hub.stomp.encoder import encode_receipt
from hub.stomp.errors import POLICY_VIOLATION, SessionError, StompError
from hub.stomp.frames import DISCONNECT, SEND, SUBSCRIBE, UNSUBSCRIBE, Frame
from hub.stomp.heartbeat import BEAT, Heartbeat
from hub.stomp.session import Commit, Connect, Event, Failure, Receipt, Session, State
from hub.transports.bridges import bridge_name, status_destination
from hub.transports.confirmed import UnconfirmedError, confirmed
from hub.transports.deadlines import Deadlines
from hub.transports.durable_receipts import DurableReceipts
from hub.transports.services import Services

NORMAL, GOING_AWAY, PROTOCOL_ERROR, POLICY, INTERNAL = 1000, 1001, 1002, POLICY_VIOLATION, 1011


class Wire(Sink, Protocol):
    """The writing side of a transport."""

    peer: str
    loopback: bool  # whether the peer's socket address is one of this machine

    def framing(self) -> Framing:
        """Give what goes before each frame; asked once, when the connection opens."""

    def keep_alive(self) -> None:
        """Find out by yourself whether the peer is there: its heart-beats will not tell."""

    def close(self, code: int, reason: str) -> None:
        """Close once what was written is out; give up after a deadline."""


class Connection:
    """A client of the hub."""

    __slots__ = (
        "_bridge",
        "_client",
        "_closing",
        "_deadlines",
        "_fed",
        "_framing",
        "_leaving",
        "_loop",
        "_receipts",
        "_services",
        "_session",
        "_wire",
    )

    def __init__(self, services: Services, wire: Wire) -> None:
        self._services = services
        self._wire = wire
        self._loop = asyncio.get_running_loop()
        self._session = Session(services.session_limits, services.header_cache, self._check_send)
        self._bridge: str | None = None  # the name of the bridge whose connection this is
        self._client: Client | None = None
        self._framing: Framing | None = None
        self._receipts: DurableReceipts | None = None  # made when first needed: idle connections stay small
        self._fed = (
            False  # the last octets brought readings: back-pressure is for this peer, whether it wants receipts or not
        )
        self._closing: tuple[int, str] | None = None
        self._leaving: str | None = None  # the receipt of a DISCONNECT that waits for durability
        services.connections.add(self)
        self._deadlines = Deadlines(self, services.limits, self._loop)

    @property
    def outbox_bytes(self) -> int:
        """Octets that wait for the peer."""
        return 0 if self._client is None else self._client.outbox.backlog_bytes

    @property
    def opened(self) -> bool:
        """Whether CONNECT was accepted."""
        return self._client is not None

    @property
    def owed(self) -> "Iterable[asyncio.Future[None]]":
        """Give what receipts wait for."""
        return () if self._receipts is None else self._receipts.batches

    def receive(self, data: bytes) -> Awaitable[None] | None:
        """Take octets from the peer. What is returned is to be awaited before more is read (back-pressure)."""
        services = self._services
        if services.draining:
            return None
        services.counters.bytes_in += len(data)
        now = self._loop.time()
        session = self._session
        was_opening = session.state is State.WAITING
        self._fed = False
        events = session.receive(data, now)
        while events:
            self._handle(events, now)
            if not was_opening or session.state is not State.OPEN:
                break
            # CONNECT was answered: what was pipelined behind it may be read now.
            was_opening = False
            events = session.receive(b"", now)
        self._deadlines.frame(session.frame_started, now, another=session.frame_new)
        if self._leaving is not None:
            return None if self._receipts is None else self._receipts.settled()
        if services.ingest is not None and services.ingest.full and (self._fed or self._receipts):
            return self._wait_for_room(services.ingest.wait_not_full)
        return None

    def part_received(self) -> None:
        """Octets came that the transport cannot hand over yet: a sign of life, and the start of a frame's time."""
        now = self._loop.time()
        if self._session.heartbeat is not None:
            self._session.heartbeat.last_received = now
        if not self._services.draining:
            self._deadlines.frame(True, now)

    def resume_writing(self) -> None:
        """The wire is not busy any more."""
        self._deadlines.writing_resumed()
        client = self._client
        if client is None:
            return
        client.outbox.flush(Joined())
        if client.outbox.congested:
            return
        if self._closing is not None:
            self._wire.close(*self._closing)
        for subscription in tuple(client.subscriptions.values()):
            if subscription.queue is not None:
                subscription.queue.dispatch()

    def writing_stalled(self) -> None:
        """The wire did not take everything."""
        self._deadlines.writing_stalled()

    def overflow(self) -> None:
        """The outbox cannot hold what must not be dropped: the peer is too slow."""
        if self._closing is None:
            self._services.broker.counters.slow_consumers += 1
        self._close(POLICY, "slow consumer", at_once=True)

    def closed(self) -> None:
        """The wire is gone."""
        self._deadlines.stop()
        self._session.close()
        if self._client is not None:
            self._client.close()
        self._services.leave(self)

    def shut_down(self) -> None:
        """End the connection because the hub stops."""
        self._close(GOING_AWAY, "the hub is shutting down")

    # Events of the session.

    def _handle(self, events: list[Event], now: float) -> None:
        now_us = time.time_ns() // 1000
        try:
            for event in events:
                if type(event) is Frame:
                    if event[0].command == SEND:
                        self._send(event, now_us)
                    else:
                        self._rare(event)
                elif isinstance(event, Commit):
                    self._commit(event)
                elif isinstance(event, Receipt):
                    self._receipt(event.receipt)
                elif isinstance(event, Connect):
                    self._connect(event, now)
                elif isinstance(event, Failure):
                    raise event.error
        except StompError as error:
            self._fail(error)

    def _connect(self, event: Connect, now: float) -> None:
        services = self._services
        services.authenticate(event.login, event.passcode, loopback=self._wire.loopback)
        bridge = self._bridge = bridge_name(event.headers)
        framing = self._framing = self._wire.framing()
        session_id = secrets.token_hex(8)
        connected = self._session.accept(session_id, now)
        dialect = self._session.dialect
        self._client = Client(
            services.broker,
            self._wire,
            services.clock,
            framing,
            dialect,
            session_id,
            services.client_limits,
            own_topic=None if bridge is None else status_destination(bridge),
        )
        self._push(connected)
        if self._session.heartbeat is None or not self._session.heartbeat.expect_s:
            self._wire.keep_alive()
        self._deadlines.opened()

    def _send(self, frame: Frame, now_us: int) -> None:
        client = self._client
        if client is None:
            raise SessionError("Not connected", "SEND before CONNECTED")
        receipt = frame.receipt
        arrival = client.publisher.send(frame, receipt is not None)
        futures = None if arrival is None else self._ingest((arrival,), now_us)
        if receipt is not None:
            if client.publisher.confirmation is not None:
                self._owe(self._and_confirmed(client, futures), [receipt])
            elif futures:
                self._owe(futures, [receipt])
            else:
                self._receipt(receipt)

    def _ingest(self, arrivals: Sequence[Arrival], now_us: int) -> "Mapping[asyncio.Future[None], None]":
        """Hand messages on topics to the telemetry pipeline; gives what receipts for them wait for."""
        ingest = self._services.ingest
        if ingest is None:
            return {}
        futures = ingest.accept_all(arrivals, now_us, self._bridge is not None)
        if futures:
            self._fed = True
        return futures

    def _commit(self, event: Commit) -> None:
        client = self._client
        if client is None:
            raise SessionError("Not connected", "COMMIT before CONNECTED")
        frames, receipt, settles = event
        receipts = [asked for _, _, asked in frames if asked is not None]
        if receipt is not None:
            receipts.append(receipt)
        arrivals: list[Arrival] = []
        futures: Mapping[asyncio.Future[None], None] | None = None
        try:
            client.commit(frames, settles, bool(receipts), arrivals)
        finally:  # where a queue is full in the middle: what subscribers have got is stored
            if arrivals:
                futures = self._ingest(arrivals, time.time_ns() // 1000)
        if not receipts:
            return
        if client.publisher.confirmation is not None:
            self._owe(self._and_confirmed(client, futures), receipts)
        elif futures:
            self._owe(futures, receipts)
        else:
            self._answer(receipts)

    def _and_confirmed(
        self, client: Client, futures: "Iterable[asyncio.Future[None]] | None"
    ) -> "tuple[asyncio.Future[None], ...]":
        """Give what a receipt waits for, the consumers of what was just sent included."""
        confirmation, client.publisher.confirmation = client.publisher.confirmation, None
        if confirmation is None:
            return tuple(futures or ())
        return (*(futures or ()), confirmed(confirmation, self._services.limits.confirm_s))

    def _rare(self, frame: Frame) -> None:
        client = self._client
        if client is None:
            raise SessionError("Not connected", f"{frame.head.command} before CONNECTED")
        command = frame.head.command
        receipt = frame.receipt
        if command == SUBSCRIBE:
            key = client.subscribe(frame)
            if receipt is not None:
                self._receipt(receipt)
            client.after_subscribe(key)
            return
        if command == UNSUBSCRIBE:
            client.unsubscribe(frame)
        elif command == DISCONNECT:
            self._disconnect(client, receipt)
            return
        else:
            client.acknowledge(frame)
        if receipt is not None:
            self._receipt(receipt)

    def _disconnect(self, client: Client, receipt: str | None) -> None:
        # Requeue and abort come before the RECEIPT, so that a second connection finds the messages.
        client.outbox.flush(Joined())
        client.close()
        if receipt is not None and self._receipts:
            self._leaving = receipt
            return
        if receipt is not None:
            self._receipt(receipt)
        self._close(NORMAL, "")

    # Answers.

    def _receipt(self, receipt: str) -> None:
        self._push(encode_receipt(receipt, self._session.dialect))

    def _answer(self, receipts: list[str]) -> None:
        for receipt in receipts:
            self._receipt(receipt)
        if self._leaving is not None and not self._receipts:
            self._receipt(self._leaving)
            self._leaving = None
            self._close(NORMAL, "")

    def _owe(self, batches: "Iterable[asyncio.Future[None]]", receipts: list[str]) -> None:
        if self._receipts is None:
            self._receipts = DurableReceipts(self._answer, self._failed)
        self._receipts.owe(batches, receipts)

    def _failed(self, receipt: str | None, failure: BaseException) -> None:
        if self._session.state is not State.OPEN and self._leaving is None:
            return
        if isinstance(failure, UnconfirmedError):
            self._fail(StompError("Not confirmed", str(failure), INTERNAL, receipt=receipt))
        else:
            text = "the readings could not be stored; send them again"
            self._fail(StompError("Not stored", text, INTERNAL, receipt=receipt))

    def _push(self, frame: bytes) -> None:
        client, framing = self._client, self._framing
        if client is not None and framing is not None:
            client.push(control_item(framing(len(frame), True) + frame))

    def _fail(self, error: StompError) -> None:
        """Write the ERROR, then close; nothing comes after it."""
        self._services.counters.errors[error.summary] += 1
        frame = self._session.fail(error)
        framing = self._framing or self._wire.framing()
        if self._client is not None:
            self._push(frame)
        else:
            self._wire.write(framing(len(frame), True) + frame)
        self._close(error.code, error.summary)

    def _close(self, code: int, reason: str, *, at_once: bool = False) -> None:
        """Close when what waits is written, or the deadline for that has passed."""
        if self._closing is not None:
            return
        self._closing = (code, reason)
        self._session.close()
        client = self._client
        if client is not None:
            client.outbox.flush(Joined())
            client.close()
            if client.outbox.congested and not at_once:
                self._loop.call_later(self._services.limits.close_s, self._wire.close, code, reason)
                return
        self._wire.close(code, reason)

    def _check_send(self, frame: Frame) -> None:
        if self._client is not None:
            self._client.publisher.check(frame)

    # Back-pressure and clocks (`Watched`).

    async def _wait_for_room(self, wait: Callable[[], Awaitable[None]]) -> None:
        self._deadlines.pause()
        self._services.counters.publishers_paused += 1
        try:
            await wait()
        finally:
            self._services.counters.publishers_paused -= 1
            self._deadlines.resume()

    @property
    def opening(self) -> bool:
        return self._session.state is State.WAITING

    @property
    def heartbeat(self) -> Heartbeat | None:
        return self._session.heartbeat if self._session.state is State.OPEN else None

    def timed_out(self, what: str) -> None:
        self._fail(SessionError("Timeout", what, POLICY if self.opening else PROTOCOL_ERROR))

    def stalled(self) -> bool:
        if self._client is None or not self._client.outbox.shedding:
            return False
        self.overflow()
        return True

    def beat(self) -> None:
        self._push(BEAT)  # an item of the outbox, so that it never comes inside a frame

    def lost(self) -> None:
        self._close(PROTOCOL_ERROR, "heart-beat timeout")
