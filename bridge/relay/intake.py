"""What came from the broker and is in no transaction yet: in order of arrival, without repeats, QoS 0 bounded.

It is not what is unacknowledged as a whole (relay.py); it does no I/O, time is an argument. The rules:

1. A redelivery (DUP) of a message that is held is dropped: its first copy will be acknowledged. nats-server sends those on
   a living connection, after its ack_wait.
2. When the epoch ends, packet ids mean nothing any more: the messages stay, to be relayed and not acknowledged.
3. When each message came is remembered a burst at a time: that tells the bridge's lag.
"""

from collections import deque

from bridge.relay.counts import RelayCounts
from bridge.relay.qos0 import Qos0
from bridge.relay.transaction import first_that_fit, weight
from hub.clients.mqtt_parser import DUP, Publish


class Intake:
    """The waiting messages; its owner bounds them by not reading the broker."""

    def __init__(self, qos0_messages: int, counts: RelayCounts) -> None:
        self.qos0 = Qos0(qos0_messages)
        self._counts = counts
        self.since = 0.0  # from when on what waits has waited for company
        self._waiting: list[Publish] = []
        self._mids: set[bytes] = set()  # packet ids of this epoch that wait for their PUBACK
        # For each burst of which something waits: how many messages had come with it, and when.
        self._arrivals: deque[tuple[int, float]] = deque()
        self._came = 0
        self._cut = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def oldest_at(self) -> float | None:
        """When the message came that has waited longest."""
        return self._arrivals[0][1] if self._arrivals else None

    def new_epoch(self) -> None:
        """Forget the packet ids."""
        self._mids.clear()
        self._waiting = [(b"", m[1], m[2], m[3], m[4]) for m in self._waiting]

    def take(self, burst: list[Publish], now: float) -> list[Publish]:
        """Take what one read brought; return what of it is held now."""
        mids = {message[0] for message in burst}
        if len(mids) < len(burst) or b"" in mids or not self._mids.isdisjoint(mids):
            burst = self._admitted(burst)
        else:
            self._mids |= mids
        if not self._waiting:
            self.since = now
        self._waiting += burst
        self._came += len(burst)
        if burst:
            self._arrivals.append((self._came, now))
        return burst

    def _admitted(self, burst: list[Publish]) -> list[Publish]:
        kept = []
        for message in burst:
            mid, topic, _, first, _ = message
            if not mid:
                self._counts.received_qos0 += 1
                if not self.qos0.admit(topic):
                    # Nobody keeps it for us; what is acknowledged has the room.
                    self._counts.dropped["qos0_full"] += 1
                    continue
            elif mid in self._mids and first & DUP:
                self._counts.repeated += 1
                continue
            else:
                self._mids.add(mid)
            kept.append(message)
        return kept

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

    def acknowledged(self, mids: list[bytes]) -> None:
        """Take note that these packet ids are free."""
        self._mids.difference_update(mids)
