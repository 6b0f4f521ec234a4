"""What is not acknowledged yet: messages, the transactions they went in, their order, the epoch, and who is poison.

It is not a connection and does no I/O; time is an argument. The rules that hold:

1. A message leaves this object only by its receipt (or as proven poison); a lost hub connection puts every transaction
   without a receipt back, in order.
2. PUBACKs come out in the order of arrival (MQTT-4.6.0-2): the longest finished prefix, never around a gap.
3. ... and only in the epoch in which their messages came. An epoch ends when the broker's connection does: a packet id of
   a former connection may name another message on the next one.
4. A redelivery (DUP) of a message that is still held is dropped: its first copy will be acknowledged. nats-server sends
   those on a living connection, after its ack_wait.
5. Bounded: with `in_flight` transactions on their way, or beyond `max_messages` or `max_bytes`, it is `full`, and its
   owner stops reading the broker; the only overshoot is the burst in hand. QoS 0 has its own bound (qos0.py).
6. Poison never blocks. When the hub refuses (ERROR, or a close code that blames the client) what was outstanding is
   suspect: it goes again one transaction at a time. A transaction refused alone is halved; a message refused alone
   `REFUSALS_TO_DROP` times is dropped: counted, reported, acknowledged.
7. A connection that just vanishes is mostly the hub's restart, and blames nobody: the search begins after many losses of
   one transaction, and a message is dropped only after many losses alone between which others got their receipts. So
   after each another goes first, a witness; while there is none the message is kept, and sent again, for ever.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from bridge.publishes import DUP, QOS, Message
from bridge.qos0 import Qos0
from bridge.send_frames import FRAME_OVERHEAD_BYTES

# A hub that shuts down may say so by ERROR once; three times alone in a row is about the message.
REFUSALS_TO_DROP = 3
# kill -9 of the hub in mid-transaction, this often in a row.
LOSSES_TO_SUSPECT = 5
# ... and this often with one message alone, while others went through between so many of them, is about the message.
LOSSES_TO_DROP = 20
PROOFS_TO_DROP = 3  # a broker's window of 20 has the witnesses for that


class Loss(Enum):
    """Why a connection to the hub ended."""

    REFUSED = "the hub refused what it was sent"
    LOST = "the connection was lost"
    OURS = "we ended it: shutdown, or a receipt that did not come"


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """Bounds of the relay; bytes are payloads and topics with the frames around them."""

    max_messages: int
    max_bytes: int
    transaction_messages: int
    transaction_bytes: int
    in_flight: int
    linger_s: float
    qos0_messages: int


@dataclass(slots=True, eq=False)
class Transaction:
    """Messages that go, and are received, together."""

    ident: int
    messages: list[Message]
    size: int
    epoch: int
    since: float  # when its oldest message came
    sent_at: float | None = None
    done: bool = False
    again: bool = False  # it was sent before
    suspect: bool = False
    refusals: int = 0
    losses: int = 0
    # Of a message that was lost alone: how often; before how many of them others had gone through; all relayed at the last.
    lost_alone: int = 0
    proofs: int = 0
    relayed_then: int | None = None


@dataclass(slots=True)
class RelayCounts:
    """Plain counters; metrics.py gives them names."""

    received: int = 0
    received_qos0: int = 0
    repeated: int = 0
    relayed: int = 0
    acknowledged: int = 0
    outdated: int = 0
    transactions: int = 0
    resent: int = 0
    refused: int = 0
    dropped: dict[str, int] = field(
        default_factory=lambda: {"poison": 0, "unsendable": 0, "too_large": 0, "qos0_full": 0, "command": 0}
    )


class Relay:
    """The ring of unacknowledged messages; see the head of this file for its rules."""

    def __init__(self, limits: RelayLimits, on_poison: Callable[[Message, str], None]) -> None:
        self.limits = limits
        self.counts = RelayCounts()
        self.epoch = 0
        self._on_poison = on_poison
        self._waiting: list[Message] = []
        self._waiting_since = 0.0
        # For each burst of which something waits: how many messages had come with it, and when.
        self._arrivals: deque[tuple[int, float]] = deque()
        self._came = 0
        self._gathered = 0
        self._qos0 = Qos0(limits.qos0_messages)
        self._transactions: deque[Transaction] = deque()  # in order of arrival; the head is the oldest
        self._unsent: deque[Transaction] = deque()  # those of them that wait to be sent again
        self._by_ident: dict[int, Transaction] = {}
        self._outstanding = 0
        self._suspect_sent = False
        self._mids: set[bytes] = set()  # packet ids of this epoch that wait for their PUBACK
        self._next_ident = 1
        self._messages = 0
        self._bytes = 0

    @property
    def messages(self) -> int:
        """How many messages are held."""
        return self._messages

    @property
    def size(self) -> int:
        """How many bytes are held."""
        return self._bytes

    @property
    def outstanding(self) -> int:
        """How many transactions wait for their receipt."""
        return self._outstanding

    @property
    def qos0_messages(self) -> int:
        """How many of the messages held are at QoS 0."""
        return self._qos0.held

    @property
    def crowded(self) -> bool:
        """Whether there is no room for more messages."""
        return self._messages >= self.limits.max_messages or self._bytes >= self.limits.max_bytes

    @property
    def full(self) -> bool:
        """Whether the owner must stop reading the broker."""
        return self._outstanding >= self.limits.in_flight or self.crowded

    def oldest_at(self) -> float | None:
        """When the message came that is held longest; None when none is."""
        if self._transactions:
            return self._transactions[0].since
        return self._arrivals[0][1] if self._arrivals else None

    # The broker's side.

    def new_epoch(self) -> None:
        """Forget the packet ids: the broker's connection ended, or a new one was accepted. The messages stay."""
        self.epoch += 1
        self._mids.clear()
        self._waiting = [(b"", m[1], m[2], m[3], m[4]) for m in self._waiting]

    def received(self, burst: list[Message], now: float) -> None:
        """Take what one read brought."""
        mids = {message[0] for message in burst}
        if len(mids) < len(burst) or b"" in mids or not self._mids.isdisjoint(mids):
            burst = self._without_repeats(burst)
        else:
            self._mids |= mids
        if not self._waiting:
            self._waiting_since = now
        self._waiting += burst
        self._came += len(burst)
        if burst:
            self._arrivals.append((self._came, now))
        self.counts.received += len(burst)
        self._messages += len(burst)
        self._bytes += _size(burst)

    def _without_repeats(self, burst: list[Message]) -> list[Message]:
        kept = []
        for message in burst:
            mid, topic, _, first, _ = message
            if not mid:
                self.counts.received_qos0 += 1
                if not self._qos0.admit(topic):
                    # Nobody keeps it for us; what is acknowledged has the room.
                    self.counts.dropped["qos0_full"] += 1
                    continue
            elif mid in self._mids and first & DUP:
                self.counts.repeated += 1
                continue
            else:
                self._mids.add(mid)
            kept.append(message)
        return kept

    # The hub's side.

    def next_transaction(self, now: float) -> Transaction | None:
        """Return what is to be sent now; the caller sends it or reports the loss of the connection."""
        if self._unsent:
            again = self._next_again()
            if again is None:
                return None
            transaction = again
        else:
            if not self._may_start(now):
                return None
            transaction = self._gather(self.limits.transaction_messages)
            if len(transaction.messages) == self.limits.transaction_messages:
                self._waiting_since = now  # the rest starts to linger; what bytes cut off has no reason to
        transaction.sent_at = now
        self._suspect_sent = transaction.suspect
        self._outstanding += 1
        self.counts.transactions += 1
        return transaction

    def _next_again(self) -> Transaction | None:
        """Take what is to be sent again, or a witness for it: a message that was lost alone waits for another's receipt."""
        transaction = next((t for t in self._unsent if t.relayed_then != self.counts.relayed), None)
        witness = transaction is None and bool(self._waiting)
        transaction = transaction or self._unsent[0]
        alone = witness or transaction.suspect
        if self._outstanding >= (1 if alone else self.limits.in_flight) or self._suspect_sent:
            return None
        if witness:
            return self._gather(1)  # no more of them: they are held until the message before them is done
        self._unsent.remove(transaction)
        transaction.again = True
        self.counts.resent += len(transaction.messages)
        return transaction

    def linger_left(self, now: float) -> float | None:
        """Seconds until waiting messages go in a transaction that is not full; None when nothing waits for that."""
        if not self._waiting or self._unsent or self._suspect_sent or self._outstanding >= self.limits.in_flight:
            return None
        return max(0.0, self._waiting_since + self.limits.linger_s - now)

    def _may_start(self, now: float) -> bool:
        """Say whether to send now: at once when nothing is on its way, else full transactions or after the linger."""
        waiting = self._waiting
        if not waiting or self._suspect_sent or self._outstanding >= self.limits.in_flight:
            return False
        return (
            not self._outstanding
            or len(waiting) >= self.limits.transaction_messages
            or now - self._waiting_since >= self.limits.linger_s
        )

    def _gather(self, max_messages: int) -> Transaction:
        chunk = self._waiting[:max_messages]
        size = _size(chunk)
        if size > self.limits.transaction_bytes:
            chunk, size = _cut(chunk, self.limits.transaction_bytes)
        if len(chunk) == len(self._waiting):
            self._waiting = []
        else:
            del self._waiting[: len(chunk)]
        since = self._arrivals[0][1]
        self._gathered += len(chunk)
        while self._arrivals and self._arrivals[0][0] <= self._gathered:
            self._arrivals.popleft()
        transaction = self._new(chunk, size, self.epoch, since)
        self._transactions.append(transaction)
        return transaction

    def _new(self, messages: list[Message], size: int, epoch: int, since: float) -> Transaction:
        transaction = Transaction(self._next_ident, messages, size, epoch, since)
        self._next_ident += 1
        self._by_ident[transaction.ident] = transaction
        return transaction

    def receipt(self, ident: int) -> list[bytes]:
        """Mark a transaction as durable; return the packet ids to acknowledge now, in order of arrival."""
        transaction = self._by_ident.pop(ident, None)
        if transaction is None:
            return []
        if transaction.sent_at is None:
            # The receipt of its first sending, read after the connection's loss was noticed.
            self._unsent.remove(transaction)
        else:
            self._outstanding -= 1
            self._suspect_sent &= not transaction.suspect
        transaction.done = True
        self.counts.relayed += len(transaction.messages)
        return self._finished()

    def _finished(self) -> list[bytes]:
        mids: list[bytes] = []
        while self._transactions and self._transactions[0].done:
            transaction = self._transactions.popleft()
            self._messages -= len(transaction.messages)
            self._bytes -= transaction.size
            if self._qos0.held:
                self._qos0.held -= sum(not message[3] & QOS for message in transaction.messages)
            if transaction.epoch == self.epoch:
                mids += [message[0] for message in transaction.messages if message[0]]
            else:
                self.counts.outdated += len(transaction.messages)
        self._mids.difference_update(mids)
        self.counts.acknowledged += len(mids)
        return mids

    def oldest_sent_at(self) -> float | None:
        """When the transaction was sent that has waited longest for its receipt."""
        return min((t.sent_at for t in self._transactions if not t.done and t.sent_at is not None), default=None)

    def hub_lost(self, loss: Loss, reason: str) -> list[bytes]:
        """Put back what has no receipt; return packet ids to acknowledge, if poison was dropped."""
        sent = [t for t in self._transactions if not t.done and t.sent_at is not None]
        alone = sent[0] if len(sent) == 1 else None
        for transaction in sent:
            transaction.sent_at = None
            transaction.losses += loss is Loss.LOST
            transaction.suspect |= loss is Loss.REFUSED or transaction.losses >= LOSSES_TO_SUSPECT
        self._outstanding = 0
        self._suspect_sent = False
        if loss is Loss.REFUSED:
            self.counts.refused += 1
        if alone is not None and alone.suspect and loss is not Loss.OURS:
            if loss is Loss.REFUSED:
                alone.refusals += 1
            elif len(alone.messages) == 1:
                alone.lost_alone += 1
                alone.proofs += alone.relayed_then is not None and self.counts.relayed > alone.relayed_then
                alone.relayed_then = self.counts.relayed
            self._judge(alone, reason)
        self._unsent = deque(t for t in self._transactions if not t.done)
        return self._finished()

    def _judge(self, suspect: Transaction, reason: str) -> None:
        """Halve a transaction that failed alone; drop a message that did so repeatedly."""
        if len(suspect.messages) > 1:
            self._halve(suspect)
        elif suspect.refusals >= REFUSALS_TO_DROP or (
            suspect.lost_alone >= LOSSES_TO_DROP and suspect.proofs >= PROOFS_TO_DROP
        ):
            del self._by_ident[suspect.ident]
            suspect.done = True
            self.counts.dropped["poison"] += 1
            self._on_poison(suspect.messages[0], reason)

    def _halve(self, suspect: Transaction) -> None:
        del self._by_ident[suspect.ident]
        at = self._transactions.index(suspect)
        middle = len(suspect.messages) // 2
        del self._transactions[at]
        for half in (suspect.messages[middle:], suspect.messages[:middle]):
            part = self._new(half, _size(half), suspect.epoch, suspect.since)
            part.suspect = True
            part.losses = LOSSES_TO_SUSPECT if suspect.losses else 0
            self._transactions.insert(at, part)


def _size(messages: list[Message]) -> int:
    return sum([len(m[1]) + len(m[2]) + len(m[4]) for m in messages]) + FRAME_OVERHEAD_BYTES * len(messages)


def _cut(messages: list[Message], max_bytes: int) -> tuple[list[Message], int]:
    """Return the first messages that fit, at least one, and their size."""
    size = 0
    for count, message in enumerate(messages):
        more = len(message[1]) + len(message[2]) + len(message[4]) + FRAME_OVERHEAD_BYTES
        if count and size + more > max_bytes:
            return messages[:count], size
        size += more
    return messages, size
