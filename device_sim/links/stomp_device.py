"""A device on a STOMP connection of its own: SENDs with a receipt; several at once are one transaction with one receipt.

A RECEIPT means that the hub has it durably. What has none when the connection is lost, or for RECEIPT_DEADLINE_S, is sent
again on the next one, in the order of sending; a half-received transaction died with its connection, so nothing is stored
by halves.
"""

import socket
import time
from collections.abc import Sequence

from device_sim.links.connection import State
from device_sim.links.device_connection import LONGEST_TEND_S, Bounds, DeviceConnection, DeviceEvents
from device_sim.links.identity import StompIdentity
from device_sim.links.reactor import Reactor
from device_sim.links.stomp_client import Received
from device_sim.links.stomp_stream import StompStream
from device_sim.message import Message
from hub.stomp.dialects import V1_2
from hub.stomp.escapes import escape

# Generous: while Postgres is away the hub rightly withholds receipts, and sending again helps nobody.
RECEIPT_DEADLINE_S = 60.0
# The hub takes 1,000 frames in a transaction.
TRANSACTION_MESSAGES = 250


class StompDevice(DeviceConnection):
    """Implements `stomp_stream.StreamOwner`; what is unacknowledged is kept by receipt."""

    __slots__ = ("_in_flight", "_number", "_stream", "_unacknowledged")

    def __init__(
        self, source: int, identity: StompIdentity, reactor: Reactor, events: DeviceEvents, bounds: Bounds
    ) -> None:
        super().__init__(source, identity.address, identity.tls, reactor, events, bounds)
        self._stream = StompStream(identity, self)
        self._unacknowledged: dict[str, Sequence[Message]] = {}  # by receipt id, in the order of sending
        self._in_flight = 0
        self._number = 0

    @property
    def in_flight(self) -> int:
        return self._in_flight

    def received(self, what: Received) -> None:
        if what.connected:
            self._accepted()
        if what.receipts:
            self._acked_at = time.monotonic()
            for receipt in what.receipts:
                messages = self._unacknowledged.pop(receipt, ())
                self._in_flight -= len(messages)
                if messages:
                    self._events.acknowledged(messages)
            if self._held and self.state is State.UP:
                self._send_held()

    def _greet(self, sock: socket.socket) -> None:
        self._watch_with(self._stream.read, self._stream.write_more)
        self._stream.begin(sock)

    def _say_goodbye(self) -> None:
        self._stream.say_goodbye()

    def _drop(self, *, reset: bool) -> None:
        self._stream.close(reset=reset)

    def _look_after(self) -> float:
        again = self._stream.look_after()
        overdue = self._unacknowledged and time.monotonic() - self._acked_at > RECEIPT_DEADLINE_S
        if overdue and self.state is State.UP:
            self._give_up()
            self._try_again("connection_lost", f"no receipt for {RECEIPT_DEADLINE_S:.0f} s")
        return LONGEST_TEND_S if again is None else again

    def _transmit(self, messages: Sequence[Message]) -> None:
        if not self._unacknowledged:
            self._acked_at = time.monotonic()
        self._in_flight += len(messages)
        for first in range(0, len(messages), TRANSACTION_MESSAGES):
            share = messages[first : first + TRANSACTION_MESSAGES]
            self._number += 1
            receipt = f"r{self._number}"
            self._unacknowledged[receipt] = share
            self._put(receipt, share)

    def _transmit_again(self, first: Sequence[Message]) -> None:
        again = list(self._unacknowledged.items())
        if first:
            self._transmit(first)
        for receipt, messages in again:
            self._put(receipt, messages)

    def _forget_births(self) -> list[Message]:
        births: list[Message] = []
        others: dict[str, Sequence[Message]] = {}
        for receipt, messages in self._unacknowledged.items():
            births += [message for message in messages if message.birth]
            if rest := [message for message in messages if not message.birth]:
                others[receipt] = rest
        self._unacknowledged = others
        self._in_flight -= len(births)
        return births

    def _put(self, receipt: str, messages: Sequence[Message]) -> None:
        one = len(messages) == 1
        self._stream.send(encode_send(receipt, messages[0]) if one else encode_transaction(receipt, messages))


def encode_transaction(receipt: str, messages: Sequence[Message]) -> bytes:
    """Encode BEGIN, a SEND each, and COMMIT with the receipt, as one buffer.

    The transaction is always `t`: each goes in one piece, so one is open at a time, and a device's header block stays the
    same bytes, which the hub decodes once.
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
