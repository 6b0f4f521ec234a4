"""The STOMP link: each burst is one transaction with one receipt, over a few WebSocket connections.

A RECEIPT for the COMMIT means that the hub has the whole burst durably; it costs a hundredth of a receipt per reading.
A burst whose receipt does not come within RECEIPT_DEADLINE_S, or whose connection is lost, is sent again on the next
connection in the order of sending. A half-received transaction dies with its connection, so nothing is stored by halves.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from device_sim.ledger.writer import Acknowledgement
from device_sim.links.address import Address
from device_sim.links.link import LinkCounts, LinkEvents
from device_sim.links.stomp_session import SessionEvents, StompSession
from device_sim.message import LinkAction, Message
from hub.stomp.dialects import V1_2
from hub.stomp.escapes import escape

CONNECTIONS = 4
WINDOW = 2_000
# Generous: while Postgres is away the hub rightly withholds receipts, and sending again helps nobody.
RECEIPT_DEADLINE_S = 60.0
TICK_S = 1.0
TRANSACTION_MESSAGES = 250


class StompLink:
    """Implements `link.Link`; a source's messages always take the same connection."""

    def __init__(
        self,
        address: Address,
        events: LinkEvents,
        *,
        sources: int,
        connections: int = CONNECTIONS,
        window: int = WINDOW,
        ca: Path | None = None,
    ) -> None:
        count = min(connections, sources)
        self._connections = [StompConnection(address, events, window, f"stomp-{number}", ca) for number in range(count)]

    @property
    def room(self) -> int:
        return min(connection.room for connection in self._connections)

    @property
    def counts(self) -> LinkCounts:
        up = sum(connection.up.is_set() for connection in self._connections)
        return LinkCounts(up, sum(connection.outstanding for connection in self._connections))

    @property
    def awaited(self) -> int:
        return self.counts.outstanding

    def act(self, action: LinkAction) -> None:
        """Nothing: the connections are shared."""

    async def start(self) -> None:
        for connection in self._connections:
            connection.start()
        for connection in self._connections:
            await connection.up.wait()

    def send(self, messages: Sequence[Message]) -> None:
        shares: list[list[Message]] = [[] for _ in self._connections]
        for message in messages:
            shares[message.source % len(shares)].append(message)
        for connection, share in zip(self._connections, shares, strict=True):
            for first in range(0, len(share), TRANSACTION_MESSAGES):
                connection.send(share[first : first + TRANSACTION_MESSAGES])

    async def close(self) -> None:
        async with asyncio.TaskGroup() as group:
            for connection in self._connections:
                group.create_task(asyncio.to_thread(connection.close))


@dataclass(slots=True)
class Burst:
    """Messages that share a transaction and its receipt."""

    messages: Sequence[Message]
    sent_at: float = 0.0


class StompConnection:
    """One session and its unacknowledged bursts. The bursts belong to the lock; the counts to the event loop."""

    def __init__(self, address: Address, events: LinkEvents, window: int, name: str, ca: Path | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._events = events
        self._window = window
        self.outstanding = 0
        self.up = asyncio.Event()
        self._number = 0
        self._changed = threading.Condition()
        self._unacknowledged: dict[str, Burst] = {}  # by receipt id, in the order of sending
        self._unsent: deque[str] = deque()
        session_events = SessionEvents(work=self._work, on_receipt=self._take_receipt, changed=self._wake_worker)
        self._session = StompSession(address, session_events, name, ca)

    @property
    def room(self) -> int:
        return self._window - self.outstanding if self.up.is_set() else 0

    def start(self) -> None:
        self._session.start()

    def send(self, messages: Sequence[Message]) -> None:
        self._number += 1
        receipt = f"b{self._number}"
        self.outstanding += len(messages)
        with self._changed:
            self._unacknowledged[receipt] = Burst(messages)
            self._unsent.append(receipt)
            self._changed.notify()

    def close(self) -> None:
        """End the session; blocks, so it is called on a thread."""
        self._session.close()

    def _work(self, session: StompSession) -> None:
        """Send bursts while the connection stands; on the session's thread."""
        with self._changed:
            self._unsent = deque(self._unacknowledged)
        self._loop.call_soon_threadsafe(self._set_up, True)
        while not (session.lost.is_set() or session.closing.is_set()):
            with self._changed:
                while not (self._unsent or session.lost.is_set() or session.closing.is_set()):
                    self._changed.wait(TICK_S)
                    if self._receipt_is_overdue():
                        session.lost.set()
                if session.lost.is_set() or session.closing.is_set():
                    break
                receipt = self._unsent.popleft()
                burst = self._unacknowledged.get(receipt)
                if burst is None:
                    continue  # its receipt came after all
                burst.sent_at = time.monotonic()
            session.transmit(encode_transaction(receipt, burst.messages))
        if not session.closing.is_set():
            self._loop.call_soon_threadsafe(self._set_up, False)

    def _receipt_is_overdue(self) -> bool:
        oldest = next(iter(self._unacknowledged.values()), None)
        return oldest is not None and 0 < oldest.sent_at < time.monotonic() - RECEIPT_DEADLINE_S

    def _take_receipt(self, receipt: str) -> None:
        with self._changed:
            burst = self._unacknowledged.pop(receipt, None)
        if burst is not None:
            self._loop.call_soon_threadsafe(self._acknowledge, burst.messages)

    def _wake_worker(self) -> None:
        with self._changed:
            self._changed.notify()

    def _set_up(self, up: bool) -> None:
        if up:
            self.up.set()
            self._events.room()
        else:
            self.up.clear()

    def _acknowledge(self, messages: Sequence[Message]) -> None:
        self.outstanding -= len(messages)
        self._events.acknowledged(messages, Acknowledgement.RECEIPT)
        self._events.room()


def encode_transaction(receipt: str, messages: Sequence[Message]) -> bytes:
    """Encode BEGIN, a SEND each, and COMMIT with the receipt, as one buffer.

    The transaction is always `t`: each goes in one piece, so one is open at a time, and a device's header block stays the
    same octets, which the hub decodes once.
    """
    frames = [b"BEGIN\ntransaction:t\n\n\0"]
    frames += [_encode_send(message, b"transaction:t\n") for message in messages]
    frames.append(b"COMMIT\ntransaction:t\nreceipt:%b\n\n\0" % receipt.encode())
    return b"".join(frames)


def encode_send(receipt: str, message: Message) -> bytes:
    """Encode one SEND with a receipt of its own."""
    return _encode_send(message, b"receipt:%b\n" % receipt.encode())


def _encode_send(message: Message, header: bytes) -> bytes:
    kind = b"json" if message.payload[:1] in {b"{", b"["} else b"octet-stream"
    return b"SEND\ndestination:/topic/%b\n%bcontent-type:application/%b\ncontent-length:%d\n\n%b\0" % (
        escape(message.topic, V1_2).encode(),
        header,
        kind,
        len(message.payload),
        message.payload,
    )
