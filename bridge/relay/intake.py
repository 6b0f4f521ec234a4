"""What is held, and what of it waits for its transaction: in order of arrival, without repeats, bounded. No I/O.

It is not the transactions (relay.py); time is an argument. The rules:

1. A redelivery (DUP) of a message that is held is dropped: its first copy will be acknowledged. nats-server sends those on
   a living connection, after its ack_wait.
2. When the epoch ends, packet ids lose their meaning: the messages stay, to be relayed and not acknowledged.
3. The time of arrival is remembered once a burst: the bridge's lag is computed from it.
4. QoS 0 messages are at most once by their sender's choice: the broker does not repeat them, so each one that the bridge
   or the hub loses is lost. When `qos0_messages` are held the newest are dropped, and counted. Each topic is named once in
   the log, `MAX_NAMED` topics at most, so that somebody can raise the device's QoS.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

import structlog

from bridge.relay.transaction import Transaction, first_that_fit, weight
from hub.clients.mqtt_parser import DUP, QOS, Publish

MAX_NAMED: Final = 1_000
REASONS: Final = ("poison", "unsendable", "too_large", "qos0_full", "command")

log = structlog.get_logger("bridge")


@dataclass(slots=True)
class RelayCounts:
    """Plain integers since the program began, `dropped` by reason; metrics.py names them."""

    received: int = 0
    received_qos0: int = 0
    repeated: int = 0
    relayed: int = 0
    acknowledged: int = 0
    outdated: int = 0
    transactions: int = 0
    resent: int = 0
    refused: int = 0
    dropped: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REASONS, 0))


class Intake:
    """The waiting messages, and the sums of all that are held; its owner bounds them by not reading the broker."""

    def __init__(self, qos0_messages: int, counts: RelayCounts) -> None:
        self.messages = 0  # held: waiting, or in a transaction
        self.size = 0  # bytes of them
        self.qos0 = 0  # of them at QoS 0
        self.since = 0.0  # from when on what waits has waited for company
        self._max_qos0 = qos0_messages
        self._counts = counts
        self._waiting: list[Publish] = []
        self._mids: set[bytes] = set()  # packet ids of this epoch that wait for their PUBACK
        # For each burst of which something waits: how many messages had come with it, and when.
        self._arrivals: deque[tuple[int, float]] = deque()
        self._came = 0
        self._cut = 0
        self._named: set[bytes] = set()  # topics at QoS 0

    def __len__(self) -> int:
        return len(self._waiting)

    def oldest_at(self) -> float | None:
        """When the message came that has waited longest."""
        return self._arrivals[0][1] if self._arrivals else None

    def new_epoch(self) -> None:
        """Forget the packet ids."""
        self._mids.clear()
        self._waiting = [(b"", *message[1:]) for message in self._waiting]

    def take(self, burst: list[Publish], now: float) -> None:
        """Take what one read brought."""
        mids = {mid for mid, _, _, _, _ in burst}
        if len(mids) < len(burst) or b"" in mids or not self._mids.isdisjoint(mids):
            burst = self._admitted(burst)
        else:
            self._mids |= mids
        if not burst:
            return
        if not self._waiting:
            self.since = now
        self._waiting += burst
        self._came += len(burst)
        self._arrivals.append((self._came, now))
        self._counts.received += len(burst)
        self.messages += len(burst)
        self.size += weight(burst)

    def _admitted(self, burst: list[Publish]) -> list[Publish]:
        kept = []
        for message in burst:
            mid, topic, _, first, _ = message
            if not mid:
                self._counts.received_qos0 += 1
                self._name(topic)
                if self.qos0 >= self._max_qos0:
                    # Nobody keeps it for us; what is acknowledged has the room.
                    self._counts.dropped["qos0_full"] += 1
                    continue
                self.qos0 += 1
            elif mid in self._mids and first & DUP:
                self._counts.repeated += 1
                continue
            else:
                self._mids.add(mid)
            kept.append(message)
        return kept

    def _name(self, topic: bytes) -> None:
        if topic and topic not in self._named and len(self._named) < MAX_NAMED:
            self._named.add(topic)
            log.warning(
                "message.qos0",
                topic=topic[:200].decode(errors="backslashreplace"),
                consequence="what is published at QoS 0 can be lost: publish at QoS 1",
                topics_not_named_any_more=len(self._named) == MAX_NAMED,
            )

    def cut(self, max_messages: int, max_bytes: int) -> tuple[list[Publish], int, float]:
        """Take out the first messages within these bounds, at least one; return them, their weight, when the oldest came."""
        chunk = self._waiting[:max_messages]
        size = weight(chunk)
        if size > max_bytes:
            chunk, size = first_that_fit(chunk, max_bytes)
        if len(chunk) == len(self._waiting):
            self._waiting = []
        else:
            del self._waiting[: len(chunk)]
        since = self._arrivals[0][1]
        self._cut += len(chunk)
        while self._arrivals and self._arrivals[0][0] <= self._cut:
            self._arrivals.popleft()
        return chunk, size, since

    def release(self, transaction: Transaction) -> None:
        """Count a transaction's messages as held no longer."""
        self.messages -= len(transaction.messages)
        self.size -= transaction.size
        if self.qos0:
            self.qos0 -= sum(not flags & QOS for _, _, _, flags, _ in transaction.messages)

    def acknowledged(self, mids: list[bytes]) -> None:
        """Note that these packet ids are free."""
        self._mids.difference_update(mids)
