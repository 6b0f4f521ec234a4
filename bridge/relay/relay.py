"""What is not acknowledged yet: the transactions that messages went in, their order and the epoch.

It is not a connection and does no I/O; time is an argument. What waits for its transaction, and the sums of what is held,
are in intake.py; who is poison is judged in transaction.py. The rules that hold:

1. A message leaves this object only by its receipt (or as proven poison); a lost hub connection puts every transaction
   without a receipt back, in order.
2. PUBACKs come out in the order of arrival (MQTT-4.6.0-2): the longest finished prefix, never around a gap.
3. ... and only in the epoch in which their messages came. An epoch ends when the broker's connection does: a packet id of
   a former connection may name another message on the next one.
4. Bounded: with `in_flight` transactions on their way, or beyond `max_messages` or `max_bytes`, it is `full`, and its
   owner stops reading the broker; the only overshoot is the burst in hand. QoS 0 has its own bound.
5. Poison never blocks: what is suspect goes again alone, and is dropped once that is proven: counted, reported,
   acknowledged in its turn.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from bridge.hub.ending import Loss
from bridge.relay.intake import Intake, RelayCounts
from bridge.relay.transaction import Transaction, weight
from hub.clients.mqtt_parser import Publish


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


class Relay:
    """The ring of unacknowledged messages; see the head of this file for its rules."""

    def __init__(self, limits: RelayLimits, counts: RelayCounts, on_poison: Callable[[Publish, str], None]) -> None:
        self.limits = limits
        self.counts = counts
        self.epoch = 0
        self.outstanding = 0  # transactions that wait for their receipt
        self._on_poison = on_poison
        self._intake = Intake(limits.qos0_messages, counts)
        self._transactions: deque[Transaction] = deque()  # in order of arrival; the head is the oldest
        self._unsent: deque[Transaction] = deque()  # those of them that wait to be sent again
        self._by_ident: dict[int, Transaction] = {}
        self._suspect_sent = False
        self._next_ident = 1

    @property
    def messages(self) -> int:
        """How many messages are held."""
        return self._intake.messages

    @property
    def size(self) -> int:
        """Bytes of them."""
        return self._intake.size

    @property
    def qos0_messages(self) -> int:
        """How many of them are at QoS 0."""
        return self._intake.qos0

    @property
    def crowded(self) -> bool:
        """Whether there is no room for more messages."""
        return self._intake.messages >= self.limits.max_messages or self._intake.size >= self.limits.max_bytes

    @property
    def full(self) -> bool:
        """Whether the owner must stop reading the broker."""
        return self.outstanding >= self.limits.in_flight or self.crowded

    def oldest_at(self) -> float | None:
        """When the message came that is held longest; None when none is."""
        return self._transactions[0].since if self._transactions else self._intake.oldest_at()

    # The broker's side.

    def new_epoch(self) -> None:
        """Acknowledge nothing of before: the broker's connection ended, or a new one was accepted. The messages stay."""
        self.epoch += 1
        self._intake.new_epoch()

    def received(self, burst: list[Publish], now: float) -> None:
        """Take what one read brought."""
        self._intake.take(burst, now)

    # The hub's side.

    def next_transaction(self, now: float) -> Transaction | None:
        """Return what is to be sent now; the caller sends it or reports the loss of the connection."""
        if self._unsent:
            transaction = self._next_again()
        elif self._may_start(now):
            transaction = self._gather(self.limits.transaction_messages)
            if len(transaction.messages) == self.limits.transaction_messages:
                self._intake.since = now  # the rest starts to linger; what bytes cut off has no reason to
        else:
            return None
        if transaction is not None:
            transaction.sent_at = now
            self._suspect_sent = transaction.suspect
            self.outstanding += 1
            self.counts.transactions += 1
        return transaction

    def _next_again(self) -> Transaction | None:
        """Take what is to be sent again, or a witness for it: a message that failed alone waits for another's receipt."""
        transaction = next((t for t in self._unsent if t.relayed_then != self.counts.relayed), None)
        witness = transaction is None and bool(self._intake)
        transaction = transaction or self._unsent[0]
        alone = witness or transaction.suspect
        if self.outstanding >= (1 if alone else self.limits.in_flight) or self._suspect_sent:
            return None
        if witness:
            return self._gather(1)  # one at a time: they are held until the message before them is done
        self._unsent.remove(transaction)
        transaction.again = True
        self.counts.resent += len(transaction.messages)
        return transaction

    def linger_left(self, now: float) -> float | None:
        """Seconds until waiting messages go in a transaction that is not full; None when nothing waits for that."""
        if not self._intake or self._unsent or self._suspect_sent or self.outstanding >= self.limits.in_flight:
            return None
        return max(0.0, self._intake.since + self.limits.linger_s - now)

    def _may_start(self, now: float) -> bool:
        """Return whether to send now: at once when nothing is on its way, else full transactions or after the linger."""
        left = self.linger_left(now)
        return left is not None and (
            not left or not self.outstanding or len(self._intake) >= self.limits.transaction_messages
        )

    def _gather(self, max_messages: int) -> Transaction:
        messages, size, since = self._intake.cut(max_messages, self.limits.transaction_bytes)
        transaction = self._new(messages, size, self.epoch, since)
        self._transactions.append(transaction)
        return transaction

    def _new(self, messages: list[Publish], size: int, epoch: int, since: float) -> Transaction:
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
            self.outstanding -= 1
            self._suspect_sent &= not transaction.suspect
        transaction.done = True
        self.counts.relayed += len(transaction.messages)
        return self._finished()

    def _finished(self) -> list[bytes]:
        mids: list[bytes] = []
        while self._transactions and self._transactions[0].done:
            transaction = self._transactions.popleft()
            self._intake.release(transaction)
            if transaction.epoch == self.epoch:
                mids += [mid for mid, _, _, _, _ in transaction.messages if mid]
            else:
                self.counts.outdated += len(transaction.messages)
        self._intake.acknowledged(mids)
        self.counts.acknowledged += len(mids)
        return mids

    def oldest_sent_at(self) -> float | None:
        """When the transaction was sent that has waited longest for its receipt."""
        return min((t.sent_at for t in self._transactions if not t.done and t.sent_at is not None), default=None)

    def hub_lost(self, loss: Loss, reason: str) -> list[bytes]:
        """Put back what has no receipt; return packet ids to acknowledge, if poison was dropped."""
        sent = [t for t in self._transactions if not t.done and t.sent_at is not None]
        for transaction in sent:
            transaction.note_loss(loss)
        self.outstanding = 0
        self._suspect_sent = False
        self.counts.refused += loss is Loss.REFUSED
        if len(sent) == 1 and sent[0].suspect and loss is not Loss.OURS:
            self._failed_alone(sent[0], loss, reason)
        self._unsent = deque(t for t in self._transactions if not t.done)
        return self._finished()

    def _failed_alone(self, suspect: Transaction, loss: Loss, reason: str) -> None:
        """Halve a transaction; drop a message, once it is proven to be poison."""
        if len(suspect.messages) > 1:
            self._halve(suspect)
        elif suspect.is_poison(loss, self.counts.relayed):
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
            part = self._new(half, weight(half), suspect.epoch, suspect.since)
            part.suspect = True
            part.losses = suspect.losses
            self._transactions.insert(at, part)
